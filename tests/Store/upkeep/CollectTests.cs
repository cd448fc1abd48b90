using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Tests.Store;

public sealed class CollectTests : IDisposable
{
    private readonly TestStore store = new();

    public void Dispose() => store.Dispose();

    [Fact]
    public void Nothing_goes_where_everything_is_needed()
    {
        store.Commit("a", "etc/hosts=one", "usr/bin/ls=two");
        store.Commit("b", "etc/hosts=one", "usr/bin/cat=three");
        List<string> before = store.Files(".");

        CollectResult result = store.Collect();

        Assert.Equal(0, result.ObjectsRemoved + result.TreesDropped + result.CommitsDropped + result.PacksRewritten + result.PacksRemoved + result.LitterRemoved);
        Assert.Equal(3, result.LiveObjects);
        Assert.Equal(2, result.LiveCommits);
        Assert.Equal(before, store.Files("."));
        Assert.Empty(store.Check());
    }

    [Fact]
    public void A_dropped_ref_frees_what_only_it_had()
    {
        Digest kept = store.Commit("kept", "shared/a=one", "own/b=two");
        store.Commit("dropped", "shared/a=one", "other/c=three", "other/d=four");
        store.DeleteRef("dropped");

        CollectResult result = store.Collect();

        Assert.Equal(2, result.ObjectsRemoved);
        Assert.Equal(2 * 4096, result.BytesFreed);
        Assert.Equal(2, result.LiveObjects);
        Assert.Equal(2, result.TreesDropped);
        Assert.Equal(1, result.CommitsDropped);
        Assert.Equal(1, result.PacksRemoved);
        Assert.True(result.PackBytesFreed > 0);
        Assert.Single(store.Files("packs"));
        using ObjectStore opened = store.Open();
        Assert.Equal(new Dictionary<string, string> { ["own/b"] = "two", ["shared/a"] = "one" }, TestStore.Read(opened, kept));
        Assert.Empty(store.Check());
    }

    [Fact]
    public void A_pack_with_dead_and_live_things_is_written_anew()
    {
        Digest kept, dropped;
        using (ObjectStore opened = store.Open())
        {
            using var additions = new Additions(opened);
            kept = TestStore.Add(additions, [], "a/b=one");
            dropped = TestStore.Add(additions, [], "c/d=two");
            additions.Publish();
            TestStore.SetRef(opened, "kept", kept);
        }

        CollectResult foreseen = store.Collect(new CollectOptions { DryRun = true });
        long before = PackBytes();
        CollectResult result = store.Collect();

        Assert.Equal((1, 0, 2L, 1L), (result.PacksRewritten, result.PacksRemoved, result.TreesDropped, result.CommitsDropped));
        Assert.Equal(before - PackBytes(), result.PackBytesFreed);
        Assert.Equal(result.PackBytesFreed, foreseen.PackBytesFreed);
        using ObjectStore again = store.Open();
        Assert.Equal(["a/b"], TestStore.Read(again, kept).Keys);
        Assert.False(again.Packs.TryReadCommit(dropped, out _));
        Assert.Empty(store.Check());
    }

    [Fact]
    public void A_refs_history_is_needed_and_goes_with_the_ref()
    {
        Digest[] commits = [.. Enumerable.Range(0, 4).Select(i => store.Commit("main", $"f=version {i}"))];
        Assert.Equal(4, store.Collect().LiveCommits);

        CollectResult cut = store.Collect(new CollectOptions { Depth = 1 });
        Assert.Equal((2L, 2L, 2L), (cut.LiveCommits, cut.CommitsDropped, cut.ObjectsRemoved));
        using (ObjectStore opened = store.Open())
        {
            Assert.Equal(commits[2], Revision.Resolve(opened, "main^"));
            Assert.False(opened.Packs.TryReadCommit(commits[1], out _));
        }

        // The cut history is no fault, neither for gc nor for fsck.
        Assert.Equal(2, store.Collect().LiveCommits);
        Assert.Empty(store.Check());
        store.DeleteRef("main");
        Assert.Equal(2, store.Collect().CommitsDropped);
        Assert.Empty(store.Files("packs"));
        Assert.Empty(store.Files("files"));
    }

    [Fact]
    public void Each_ref_has_its_own_depth_where_histories_meet()
    {
        Digest[] commits = [.. Enumerable.Range(0, 4).Select(i => store.Commit("main", $"f=version {i}"))];
        using (ObjectStore opened = store.Open())
        {
            TestStore.SetRef(opened, "old", commits[1]);
        }

        CollectResult result = store.Collect(new CollectOptions { Depth = 1 });

        Assert.Equal(4, result.LiveCommits);
        Assert.Empty(store.Check());
    }

    [Fact]
    public void What_roots_outside_hold_is_counted_apart()
    {
        store.Commit("dropped", "a=one");
        string file = Assert.Single(store.Files("files"));
        using (ObjectStore opened = store.Open())
        {
            Assert.Equal(Errno.None, Sys.Link(Sys.WorkingDirectory, ByteText.FromArgument($"{store.Path}/{file}"), Sys.WorkingDirectory, ByteText.FromArgument(store.At("held"))));
        }

        store.DeleteRef("dropped");
        CollectResult result = store.Collect();

        Assert.Equal((1L, 0L, 1L, 4096L), (result.ObjectsRemoved, result.BytesFreed, result.ObjectsHeldOutside, result.BytesHeldOutside));
        Assert.Equal("one", File.ReadAllText(store.At("held")));
    }

    [Fact]
    public void A_dry_run_tells_what_would_go_and_changes_nothing()
    {
        store.Commit("kept", "a=one", "b/c=two");
        store.Commit("dropped", "a=one", "b/d=three");
        store.DeleteRef("dropped");
        File.WriteAllText($"{store.Path}/tmp/left", "litter");
        var told = new List<string>();
        var removed = new List<string>();
        List<string> before = store.Snapshot();

        CollectResult would = store.Collect(new CollectOptions { DryRun = true, OnRemove = told.Add });
        Assert.Equal(before, store.Snapshot());
        CollectResult did = store.Collect(new CollectOptions { OnRemove = removed.Add });

        Assert.Equal(did, would);
        Assert.Equal(removed.Order(), told.Order());
        Assert.Equal(3, told.Count);
        Assert.All(told, path => Assert.False(File.Exists(Path.Combine(store.Path, path)), path));
    }

    [Fact]
    public void Names_that_are_no_objects_stay_for_fsck_to_tell()
    {
        store.Commit("a", "a=one");
        File.WriteAllText($"{store.Path}/files/00/mine", "?");

        Assert.Equal(0, store.Collect().ObjectsRemoved);
        Assert.Equal("files/00/mine", Assert.Single(store.Check()).Path);
    }

    [Fact]
    public void Many_small_packs_become_few()
    {
        for (int i = 0; i < RepackPlan.MostPacks + 5; i++)
        {
            store.Commit("main", $"f{i}=content {i}");
        }

        Assert.Equal(RepackPlan.MostPacks + 5, store.Files("packs").Count);
        CollectResult result = store.Collect();

        Assert.Equal(RepackPlan.MostPacks + 5 - (RepackPlan.MostPacks / 2), result.PacksRewritten);
        Assert.Equal((RepackPlan.MostPacks / 2) + 1, store.Files("packs").Count);
        Assert.Equal(RepackPlan.MostPacks + 5, result.LiveCommits);
        Assert.Empty(store.Check());
        Assert.Equal(0, store.Collect().PacksRewritten);
    }

    public static TheoryData<string> Damages => ["ref", "tree", "commit", "pack"];

    [Theory]
    [MemberData(nameof(Damages))]
    public void Damage_makes_it_refuse_and_change_nothing(string kind)
    {
        store.Commit("kept", "a/b=one");
        store.Commit("dropped", "a=two");
        store.DeleteRef("dropped");
        Damage(kind);
        List<string> before = store.Snapshot();

        StoreException refusal = Assert.ThrowsAny<StoreException>(() => store.Collect());

        Assert.Contains("nothing was removed", refusal.Message);
        Assert.Equal(before, store.Snapshot());
        Assert.NotEmpty(store.Check());
    }

    private void Damage(string kind)
    {
        switch (kind)
        {
            case "ref":
                store.Change("refs/kept", bytes => bytes[0] = (byte)'x');
                break;
            case "tree":
                Repack(row => row.Kind == PackedKind.Commit);
                break;
            case "commit":
                Repack(row => row.Kind == PackedKind.Tree);
                break;
            default:
                store.Files("packs").ForEach(file => store.Change(file, bytes => bytes[^1] ^= 1));
                break;
        }
    }

    /// <summary>Writes all packs anew with a part of what they hold.</summary>
    private void Repack(Func<IndexRow, bool> isKept)
    {
        using ObjectStore opened = store.Open();
        using var additions = new Additions(opened);
        foreach (PackFile pack in opened.Packs.Files.ToList())
        {
            foreach (IndexRow row in pack.RowsInBlockOrder().Where(isKept))
            {
                additions.Pack.Add(row.Kind, row.Digest, opened.Packs.Read(pack, row).Span);
            }

            opened.Packs.Remove(pack.Name);
        }

        additions.Publish();
    }

    private long PackBytes() => new DirectoryInfo(store.At("objects/packs")).EnumerateFiles().Sum(pack => pack.Length);
}
