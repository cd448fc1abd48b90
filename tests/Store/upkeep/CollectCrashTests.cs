using HackTree.Model;
using HackTree.Store;

namespace HackTree.Tests.Store;

/// <summary>gc interrupted, and gc beside others.</summary>
public sealed class CollectCrashTests : IDisposable
{
    private readonly TestStore store = new();

    public void Dispose() => store.Dispose();

    [Fact]
    public void Ended_at_any_removal_it_leaves_a_good_store_and_the_next_one_finishes()
    {
        Digest kept = store.Commit("kept", "a/b=one", "c=two");
        for (int crash = 0; ; crash++)
        {
            store.Commit("dropped", "a/b=one", "d=three", "e=four", "f/g=five");
            store.DeleteRef("dropped");
            File.WriteAllText($"{store.Path}/tmp/left", "litter");
            int removals = 0;
            bool isWhole = false;
            try
            {
                store.Collect(new CollectOptions { OnRemove = _ => Crash(removals++ == crash) });
                isWhole = true;
            }
            catch (InvalidOperationException)
            {
                Assert.Empty(store.Check());
            }

            store.Collect();
            Assert.Empty(store.Check());
            Assert.Equal(2, store.Files("files").Count);
            Assert.Single(store.Files("packs"));
            Assert.Empty(store.Files("tmp"));
            using ObjectStore opened = store.Open();
            Assert.Equal(["a/b", "c"], TestStore.Read(opened, kept).Keys);
            if (isWhole)
            {
                Assert.Equal(5, crash);
                return;
            }
        }
    }

    [Fact]
    public void Old_and_new_packs_side_by_side_do_no_harm()
    {
        Digest kept, second;
        using (ObjectStore opened = store.Open())
        {
            using var additions = new Additions(opened);
            kept = TestStore.Add(additions, [], "a/b=one");
            second = TestStore.Add(additions, [kept], "a/b=one", "c=two");
            additions.Publish();
            TestStore.SetRef(opened, "main", second);
        }

        string old = Assert.Single(store.Files("packs"));
        byte[] bytes = File.ReadAllBytes($"{store.Path}/{old}");
        store.Collect(new CollectOptions { Depth = 0 });
        string rewritten = Assert.Single(store.Files("packs"));
        Assert.NotEqual(old, rewritten);
        File.WriteAllBytes($"{store.Path}/{old}", bytes);

        // As after a crash before the old pack went: what it alone holds is dead, or alive again.
        Assert.Empty(store.Check());
        Assert.Equal(1, store.Collect(new CollectOptions { Depth = 0 }).PacksRemoved);
        Assert.Equal([rewritten], store.Files("packs"));
        File.WriteAllBytes($"{store.Path}/{old}", bytes);
        Assert.Equal(2, store.Collect().LiveCommits);
        Assert.Equal([old], store.Files("packs"));
    }

    [Fact]
    public void It_waits_for_a_writer_and_spares_what_he_commits_meanwhile()
    {
        store.Commit("dropped", "a/b=one", "c=two");
        store.DeleteRef("dropped");
        Digest late;
        using var waiting = new ManualResetEventSlim();
        CollectResult? result = null;
        Action join;
        using (ObjectStore writer = store.Open())
        {
            join = TestThreads.Start(() => result = store.Collect(onWait: _ => waiting.Set()));
            Assert.True(waiting.Wait(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));

            // Half of it was dead when gc first looked.
            late = TestStore.Commit(writer, "late", "a/b=one", "d=three");
            Assert.Null(result);
        }

        join();
        Assert.Equal((1L, 2L), (result!.ObjectsRemoved, result.LiveObjects));
        using ObjectStore opened = store.Open();
        Assert.Equal(["a/b", "d"], TestStore.Read(opened, late).Keys);
        Assert.Empty(store.Check());
    }

    [Fact]
    public void Committers_and_collectors_together_lose_nothing()
    {
        TestThreads.Run(3, number =>
        {
            for (int i = 0; i < 8; i++)
            {
                if (number == 0)
                {
                    store.Collect();
                    continue;
                }

                store.Commit($"ref{number}", "common=same", $"f{i}={number}");
                store.Commit($"gone{number}", "common=same", $"g{i % 2}=x");
                store.DeleteRef($"gone{number}");
            }
        });

        Assert.Empty(store.Check());
        Assert.Equal(16, store.Collect().LiveCommits);
        Assert.Empty(store.Check());
    }

    private static void Crash(bool now)
    {
        if (now)
        {
            throw new InvalidOperationException();
        }
    }
}
