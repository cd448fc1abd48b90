using System.Text;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Store;

/// <summary>The steps from objects to a ref: each once, and in one order.</summary>
public sealed class AdditionsTests : IDisposable
{
    private static readonly Digest Wrong = Digest.Of("wrong"u8);

    private readonly TestStore store = new();
    private readonly ObjectStore opened;

    public AdditionsTests() => opened = store.Open();

    public void Dispose()
    {
        opened.Dispose();
        store.Dispose();
    }

    [Fact]
    public void What_is_published_takes_nothing_more_and_is_published_once()
    {
        using var additions = new Additions(opened);
        TestStore.Add(additions, [], "a=one");
        additions.Publish();
        Assert.Throws<InvalidOperationException>(() => additions.Publish());
        Assert.Throws<InvalidOperationException>(() => additions.AddBytes("two"u8, TestStore.Metadata, []));
        Assert.Throws<InvalidOperationException>(() => additions.AddStream(_ => { }, 3, TestStore.Metadata, []));
        Assert.Throws<InvalidOperationException>(() => additions.Pack.Add(TestCommit()));
        Assert.Throws<InvalidOperationException>(() => additions.PublishCommit("main", TestCommit()));
        Assert.Single(store.Files("files"));
        Assert.Single(store.Files("packs"));
        Assert.Empty(opened.Refs.List());
    }

    [Fact]
    public void A_pack_is_completed_once_and_named_once_and_only_after_that()
    {
        using PackWriter pack = opened.Packs.NewPack();
        Digest commit = pack.Add(TestCommit());
        Assert.Throws<InvalidOperationException>(() => opened.Packs.Add(pack, Wrong));
        Digest name = pack.Complete();
        Assert.Throws<InvalidOperationException>(() => pack.Complete());
        Assert.Throws<InvalidOperationException>(() => pack.OpenUnnamed());
        opened.Packs.Add(pack, name);
        Assert.Throws<InvalidOperationException>(() => opened.Packs.Add(pack, name));
        Assert.True(opened.Packs.Contains(commit));
    }

    [Fact]
    public void A_turn_that_has_ended_sets_nothing()
    {
        var turn = RefTurn.Take(opened);
        turn.Dispose();
        Assert.Throws<InvalidOperationException>(() => turn.Set("main", new DurableCommit(Wrong), ""));
        Assert.Throws<InvalidOperationException>(() => turn.Delete("main"));
        Assert.Throws<InvalidOperationException>(() => turn.Find("main"));
        Assert.Empty(opened.Refs.List());
    }

    [Fact]
    public void A_child_has_the_parent_that_the_ref_names_when_it_is_set()
    {
        Digest first = store.Commit("main", "a=one");
        using var additions = new Additions(opened);
        additions.Pack.Add(PackedKind.Tree, TestCommit().Tree, Tree.Empty.Bytes);
        PublishedCommit published = additions.PublishChild("main", TestCommit());
        Digest overtaking = store.Commit("main", "a=two");

        Digest child = published.SetRef("later");

        Assert.Equal(child, opened.Refs.Find("main"));
        Assert.Equal([overtaking], opened.Packs.ReadCommit(child).Parents);
        Assert.Equal([first], opened.Packs.ReadCommit(overtaking).Parents);
        Assert.Equal(4, store.Files("packs").Count);
        Assert.Throws<InvalidOperationException>(() => published.SetRef("again"));
        Assert.Empty(store.Files("tmp"));
        Assert.Empty(store.Check());
    }

    [Fact]
    public void A_child_whose_ref_nobody_moved_is_in_one_pack()
    {
        Digest first = store.Commit("main", "a=one");
        using var additions = new Additions(opened);
        Digest child = additions.PublishChild("main", TestCommit()).SetRef("");
        Assert.Equal([first], opened.Packs.ReadCommit(child).Parents);
        Assert.Equal(2, store.Files("packs").Count);
    }

    [Fact]
    public void A_child_whose_ref_was_deleted_meanwhile_begins_anew()
    {
        store.Commit("main", "a=one");
        using var additions = new Additions(opened);
        PublishedCommit published = additions.PublishChild("main", TestCommit());
        TestStore.DeleteRef(opened, "main");
        Assert.Empty(opened.Packs.ReadCommit(published.SetRef("")).Parents);
    }

    [Fact]
    public void A_commit_that_stays_as_it_is_is_set_over_a_damaged_ref_too()
    {
        store.Commit("main", "a=one");
        File.WriteAllText($"{store.Path}/refs/main", "damaged");
        using var additions = new Additions(opened);
        Digest commit = additions.PublishCommit("main", TestCommit()).SetRef("");
        Assert.Equal(commit, opened.Refs.Find("main"));
        Assert.Equal(TestCommit().Encode(), opened.Packs.ReadCommit(commit).Encode());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(3_000_000)]
    public void Content_that_is_not_the_expected_gets_no_name(int size)
    {
        using var additions = new Additions(opened);
        byte[] content = new byte[size];
        Digest right = Verity.Compute(content);
        File.WriteAllBytes(store.At("source"), content);
        Assert.Equal(right, Add(Wrong));
        Assert.Equal(right, AddFile(Wrong));
        Assert.Empty(store.Files("files"));
        Assert.Equal(0, opened.Blobs.Added);

        Assert.Equal(right, Add(right));
        Assert.Single(store.Files("files"));
        File.Delete($"{store.Path}/{store.Files("files")[0]}");
        opened.Blobs.ForgetListed();
        Assert.Equal(right, AddFile(right));
        Assert.Single(store.Files("files"));

        Digest Add(Digest expected) => additions.AddStream(span => span.Clear(), size, TestStore.Metadata, [], expected);

        Digest AddFile(Digest expected)
        {
            Sys.Open(Sys.WorkingDirectory, Encoding.UTF8.GetBytes(store.At("source")), OpenFlags.ReadOnly, out SafeFileHandle file).ThrowIfFailed("openat", "source");
            using (file)
            {
                Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", "source");
                return additions.AddFile(file, status, TestStore.Metadata, [], new byte[Blobs.BufferSize], "source", expected);
            }
        }
    }

    [Fact]
    public void A_store_that_lacks_a_room_is_not_opened_and_not_kept_locked()
    {
        Directory.Delete($"{store.Path}/refs", recursive: true);
        Assert.Contains("/refs: missing", Assert.Throws<CorruptException>(() => store.Open()).Message);
        opened.Lock.Exclude(wait => Assert.Fail($"waits for {string.Join(", ", wait.Holders)}"));
        opened.Lock.Share();
    }

    [Fact]
    public void The_stores_lock_is_exclusive_for_one_sweep_at_a_time()
    {
        Assert.Throws<InvalidOperationException>(opened.Lock.Share);
        Assert.Throws<InvalidOperationException>(opened.Lock.RequireExclusive);
        opened.Lock.Exclude(null);
        opened.Lock.RequireExclusive();
        Assert.Throws<InvalidOperationException>(() => opened.Lock.Exclude(null));
        opened.Lock.Share();
    }

    private static Commit TestCommit() =>
        new() { Tree = Tree.DigestOf(Tree.Empty.Bytes), RootMetadata = TestStore.Metadata with { Mode = 0x1ED }, Time = 1, Files = 0, ContentBytes = 0 };
}
