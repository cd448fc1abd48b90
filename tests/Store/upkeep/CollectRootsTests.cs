using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Tests.Store;

/// <summary>What gc makes of roots, their records, and what an interrupted checkout leaves.</summary>
public sealed class CollectRootsTests : IDisposable
{
    private readonly TestStore store = new();
    private readonly Digest commit;

    public CollectRootsTests()
    {
        commit = store.Commit("dropped", "a=one");
        store.Commit("kept", "b=two");
        store.DeleteRef("dropped");
    }

    public void Dispose() => store.Dispose();

    [Fact]
    public void A_root_holds_its_commit_until_it_is_gone()
    {
        Directory.CreateDirectory(store.At("r1"));
        Record("r1", RootState.Ready);
        Assert.Equal(0, store.Collect().ObjectsRemoved);

        Directory.Delete(store.At("r1"));
        CollectResult result = store.Collect();

        Assert.Equal((1, 1L), (result.RootRecordsDropped, result.ObjectsRemoved));
        Assert.Empty(store.Files("roots"));
    }

    [Fact]
    public void A_root_holds_its_commit_but_not_the_history()
    {
        Digest second;
        using (ObjectStore opened = store.Open())
        {
            using var additions = new Additions(opened);
            second = TestStore.Add(additions, [commit], "c=three");
            additions.Publish();
        }

        Directory.CreateDirectory(store.At("r1"));
        Record("r1", RootState.Ready, second);

        Assert.Equal(2, store.Collect().LiveCommits);
        Assert.Empty(store.Check());
    }

    [Fact]
    public void A_pinned_root_and_one_that_may_come_back_hold_theirs()
    {
        Record("pinned", RootState.Pinned);
        Record("away/r1", RootState.Ready, name: "r1");
        Record("r2", RootState.Ready, above: Inode(store.At("objects")));

        CollectResult result = store.Collect();

        Assert.Equal((0, 0L), (result.RootRecordsDropped, result.ObjectsRemoved));
        store.Check(out CheckResult check);
        Assert.Equal(3, check.Notes.Count);
    }

    [Fact]
    public void An_unfinished_root_goes_with_its_record()
    {
        string partial = Roots.PartialPath(store.At("r1"));
        Directory.CreateDirectory(partial + "/usr/bin");
        File.WriteAllText(partial + "/usr/bin/ls", "half");
        RecordBuild("r1", Inode(partial));

        CollectResult result = store.Collect();

        Assert.False(Directory.Exists(partial));
        Assert.Equal((1, 1, 1L), (result.LitterRemoved, result.RootRecordsDropped, result.ObjectsRemoved));
        Assert.Empty(store.Files("roots"));
    }

    [Fact]
    public void A_root_whose_maker_died_after_the_rename_gets_its_record()
    {
        Directory.CreateDirectory(store.At("r1"));
        RecordBuild("r1", Inode(store.At("r1")));

        CollectResult result = store.Collect();

        Assert.Equal((1, 0, 0L), (result.RootRecordsCompleted, result.RootRecordsDropped, result.ObjectsRemoved));
        Assert.Equal(["roots/r1.json"], store.Files("roots"));
        using ObjectStore opened = store.Open();
        RootRecord record = opened.Roots.Find("r1")!;
        Assert.Equal((RootState.Ready, commit, Inode(store.At("r1"))), (record.State, record.Commit, record.Directory!.Value.Inode));
    }

    [Theory]
    [InlineData(RootState.Ready)]
    [InlineData(RootState.Pinned)]
    public void A_partial_record_that_outlived_its_maker_changes_nothing_of_a_root_that_is_recorded(RootState state)
    {
        Directory.CreateDirectory(store.At("r1"));
        Directory.CreateDirectory(Roots.PartialPath(store.At("r1")));
        Record("r1", state, inode: Inode(store.At("r1")));
        byte[] record = File.ReadAllBytes(store.At("objects/roots/r1.json"));
        RecordBuild("r1", Inode(store.At("r1")), replaced: Inode(Roots.PartialPath(store.At("r1"))));

        CollectResult result = store.Collect();

        Assert.Equal((1, 0, 1, 0L), (result.LitterRemoved, result.RootRecordsCompleted, result.RootRecordsDropped, result.ObjectsRemoved));
        Assert.Equal(["roots/r1.json"], store.Files("roots"));
        Assert.Equal(record, File.ReadAllBytes(store.At("objects/roots/r1.json")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Where_a_root_was_to_be_replaced_the_inode_tells_how_far_it_came(bool wasExchanged)
    {
        string partial = Roots.PartialPath(store.At("r1"));
        Directory.CreateDirectory(store.At("r1"));
        Directory.CreateDirectory(partial);
        Digest kept;
        using (ObjectStore opened = store.Open())
        {
            kept = opened.Refs.Find("kept");
        }

        Record("r1", RootState.Ready, kept);
        RecordBuild("r1", Inode(wasExchanged ? store.At("r1") : partial), replaced: Inode(wasExchanged ? partial : store.At("r1")));

        CollectResult result = store.Collect();

        Assert.Equal(1, result.LitterRemoved);
        Assert.Equal(wasExchanged ? 0 : 1, result.ObjectsRemoved);
        Assert.False(Directory.Exists(partial));
        Assert.True(Directory.Exists(store.At("r1")));
        using ObjectStore again = store.Open();
        Assert.Equal(["r1"], again.Roots.Names());
        Assert.Equal(wasExchanged ? commit : kept, again.Roots.Find("r1")!.Commit);
    }

    [Fact]
    public void A_finished_part_of_a_tree_is_no_root_to_be_recorded()
    {
        Directory.CreateDirectory(store.At("part"));
        RecordBuild("part", Inode(store.At("part")), becomesRoot: false);

        CollectResult result = store.Collect();

        Assert.Equal((0, 1, 1L), (result.RootRecordsCompleted, result.RootRecordsDropped, result.ObjectsRemoved));
        Assert.True(Directory.Exists(store.At("part")));
    }

    [Fact]
    public void A_dry_run_leaves_them_all()
    {
        Directory.CreateDirectory(Roots.PartialPath(store.At("r1")));
        Directory.CreateDirectory(store.At("r2"));
        RecordBuild("r1", Inode(Roots.PartialPath(store.At("r1"))));
        RecordBuild("r2", Inode(store.At("r2")));
        Record("r3", RootState.Ready);
        List<string> before = store.Snapshot();

        CollectResult would = store.Collect(new CollectOptions { DryRun = true });

        Assert.Equal((1, 2, 1), (would.LitterRemoved, would.RootRecordsDropped, would.RootRecordsCompleted));
        Assert.Equal(before, store.Snapshot());
        Assert.Equal(would, store.Collect());
    }

    private void Record(string path, RootState state, Digest of = default, ulong? inode = null, string? name = null, ulong? above = null)
    {
        using ObjectStore opened = store.Open();
        opened.Record(name ?? path, new RootRecord
        {
            Path = path,
            Commit = of.IsNone ? commit : of,
            Revision = "dropped",
            Time = 0,
            Method = CheckoutMethod.Hardlink,
            State = state,
            Directory = inode is { } number ? new DirectoryIdentity(number, Born: null) : null,
            Above = above ?? Inode(store.At(".")),
        });
    }

    private void RecordBuild(string path, ulong inode, bool becomesRoot = true, ulong? replaced = null)
    {
        using ObjectStore opened = store.Open();
        opened.Record(path, new BuildRecord
        {
            Path = path,
            Commit = commit,
            Revision = "dropped",
            Time = 0,
            Method = CheckoutMethod.Hardlink,
            Directory = new DirectoryIdentity(inode, Born: null),
            Above = Inode(store.At(".")),
            BecomesRoot = becomesRoot,
            Replaced = replaced is { } old ? new DirectoryIdentity(old, Born: null) : null,
        });
    }

    private static ulong Inode(string path)
    {
        Assert.Equal(Errno.None, Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(path), out FileStatus status));
        return status.Inode;
    }
}
