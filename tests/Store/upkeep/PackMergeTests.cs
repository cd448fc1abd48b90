using System.Text;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Store.Upkeep;

/// <summary>Packs that commits merge, within one process; <see cref="Crash.MergingCommitTests"/> lets the program do it.</summary>
public sealed class PackMergeTests : IDisposable
{
    private readonly TestStore store = new();
    private int written;

    public void Dispose() => store.Dispose();

    [Fact]
    public void However_many_commits_there_are_the_packs_stay_few()
    {
        const int commits = PackMerge.MostPacks * 4;
        using (ObjectStore opened = store.Open())
        {
            for (int i = 0; i < commits; i++)
            {
                Commit(opened);
                Assert.InRange(store.Files("packs").Count, 1, PackMerge.MostPacks);
            }
        }

        using (ObjectStore fresh = store.Open())
        {
            Assert.Equal(commits, History(fresh).Count);
        }

        Assert.Empty(store.Check());

        // gc finds nothing that is dead: a merge keeps one copy of each tree.
        CollectResult result = store.Collect();
        Assert.Equal((0, 0, commits), (result.TreesDropped, result.CommitsDropped, result.LiveCommits));
    }

    [Fact]
    public void After_a_merge_each_pack_is_twice_as_long_as_all_smaller_ones()
    {
        using ObjectStore opened = store.Open();
        int before = 0, merges = 0;
        while (merges < 6)
        {
            Commit(opened);
            int count = store.Files("packs").Count;
            if (count < before)
            {
                merges++;
                long smaller = 0;
                foreach (long length in store.Files("packs").Select(file => new FileInfo(Path.Combine(store.Path, file)).Length).Order())
                {
                    Assert.True(length >= 2 * smaller, $"a pack of {length} bytes and smaller ones of {smaller}");
                    smaller += length;
                }
            }

            before = count;
        }
    }

    [Fact]
    public void Who_listed_the_packs_before_can_read_them_after()
    {
        using ObjectStore writer = store.Open();
        using ObjectStore reader = store.Open();
        FillUp(writer);
        List<Digest> commits = History(reader);
        Commit(writer);
        Assert.Single(store.Files("packs"));
        Assert.All(commits, commit => Assert.Equal(commit, HackTree.Model.Commit.DigestOf(reader.Packs.ReadCommit(commit).Encode())));
    }

    [Fact]
    public async Task Readers_and_checks_beside_merges_miss_nothing()
    {
        using ObjectStore writer = store.Open();
        FillUp(writer);
        using var end = new CancellationTokenSource();
        Task[] readers = [.. Enumerable.Range(0, 3).Select(number => Task.Factory.StartNew(
            () =>
            {
                while (!end.IsCancellationRequested)
                {
                    using ObjectStore reader = store.Open();
                    if (number == 0)
                    {
                        Assert.Empty(store.Check());
                    }
                    else
                    {
                        Assert.True(History(reader).Count >= PackMerge.MostPacks);
                    }
                }
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default))];
        for (int i = 0; i < PackMerge.MostPacks * 4; i++)
        {
            Commit(writer);
        }

        await end.CancelAsync();
        await Task.WhenAll(readers);
        Assert.Equal(PackMerge.MostPacks * 5, History(writer).Count);
    }

    [Fact]
    public void A_damaged_pack_stays_for_fsck_to_tell_and_the_commit_is_made()
    {
        using ObjectStore opened = store.Open();
        FillUp(opened);
        string damaged = store.Files("packs")[7];
        store.Change(damaged, bytes => bytes[20] ^= 1);
        using ObjectStore other = store.Open();
        Digest made = Commit(other);
        Assert.Equal(made, other.Refs.Find("main"));
        Assert.Equal(PackMerge.MostPacks + 1, store.Files("packs").Count);
        Assert.Contains(store.Check(), finding => finding.Path == damaged);
    }

    [Fact]
    public void What_another_process_merges_is_left_to_it()
    {
        using ObjectStore opened = store.Open();
        FillUp(opened);
        using (opened.Packs.TryTakeMergeTurn())
        {
            Commit(opened);
            Assert.Equal(PackMerge.MostPacks + 1, store.Files("packs").Count);
        }

        Commit(opened);
        Assert.Single(store.Files("packs"));
    }

    [Fact]
    public void A_request_to_stop_leaves_the_packs_and_not_the_commit()
    {
        using var stop = new CancellationTokenSource();
        using ObjectStore opened = ObjectStore.Open(store.Path, stop: stop.Token);
        FillUp(opened);
        Digest made = Commit(opened, _ => stop.Cancel());
        Assert.Equal(made, opened.Refs.Find("main"));
        Assert.Equal(PackMerge.MostPacks + 1, store.Files("packs").Count);
    }

    [Fact]
    public void A_pack_that_nobody_can_remove_is_left_out()
    {
        Tools.Require("chattr");
        using ObjectStore opened = store.Open();
        FillUp(opened);
        string path = Path.Combine(store.Path, store.Files("packs")[3]);
        Assert.SkipWhen(Tools.Run("chattr", "+i", path).ExitCode != 0, "this filesystem has no immutable files");
        try
        {
            Commit(opened);
            Assert.Equal(2, store.Files("packs").Count);
            Assert.True(File.Exists(path));
        }
        finally
        {
            Tools.Run("chattr", "-i", path).Succeeded();
        }
    }

    /// <summary>As many packs as there may be without a merge.</summary>
    private void FillUp(ObjectStore opened)
    {
        for (int i = 0; i < PackMerge.MostPacks; i++)
        {
            Commit(opened);
        }

        Assert.Equal(PackMerge.MostPacks, store.Files("packs").Count);
    }

    private Digest Commit(ObjectStore opened, Action<Digest>? onFinal = null)
    {
        using var additions = new Additions(opened);
        var builder = new TreeBuilder();
        builder.Add(new TreeEntry { Kind = EntryKind.Fifo, Name = Encoding.ASCII.GetBytes($"fifo {written++}"), Metadata = TestStore.Metadata });
        Digest tree = additions.AddTree(builder.Build());
        var commit = new Commit { Tree = tree, RootMetadata = TestStore.Metadata with { Mode = 0x1ED }, Time = written, Files = 0, ContentBytes = 0 };
        return additions.PublishChild("main", commit).SetRef("test", onFinal);
    }

    private static List<Digest> History(ObjectStore opened)
    {
        var history = new List<Digest>();
        for (Digest next = opened.Refs.Find("main"); !next.IsNone; next = opened.Packs.ReadCommit(next).Parents.FirstOrDefault())
        {
            history.Add(next);
            _ = opened.Packs.ReadTree(opened.Packs.ReadCommit(next).Tree);
        }

        return history;
    }
}
