using CsCheck;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Tests.Store;

public sealed class PackTests
{
    [Fact]
    public void What_was_added_is_found_and_nothing_else() =>
        Gen.Select(Gen.Int[0, 200], Gen.Int[0, 3000], Gen.Bool).Array[0, 60].Where(specs => specs.Length > 0).Sample(specs =>
        {
            var objects = new Dictionary<Digest, (PackedKind, byte[])>();
            foreach ((int name, int size, bool isCommit) in specs)
            {
                byte[] bytes = isCommit ? TestPack.CommitOf([], new string((char)('a' + (name % 26)), size)) : TestPack.TreeOf($"n{name}", size);
                PackedKind kind = isCommit ? PackedKind.Commit : PackedKind.Tree;
                objects[PackedObject.DigestOf(kind, bytes)] = (kind, bytes);
            }

            byte[] pack = TestPack.Write(objects.Values);

            using PackFile file = TestPack.Open(pack);
            Assert.Equal(pack.Length, file.Length);
            Assert.Equal(Digest.Of(pack), file.HashWhole());
            Assert.Equal(objects.Count, file.Count);
            foreach ((Digest digest, (PackedKind kind, byte[] bytes)) in objects)
            {
                Assert.True(file.TryFind(digest, out IndexRow row));
                Assert.Equal(kind, row.Kind);
                Assert.Equal(bytes, file.ReadBlock(row.Block).AsSpan(row.Offset, row.Length).ToArray());
                Assert.Null(PackedObject.FindFault(row, bytes));
            }

            Assert.False(file.TryFind(default, out _));
            Assert.False(file.TryFind(Digest.Of(pack), out _));
            IndexRow[] rows = file.RowsInBlockOrder();
            Assert.Equal(objects.Count, rows.Length);
            Assert.All(rows.Zip(rows.Skip(1)), pair => Assert.True((pair.First.Block, pair.First.Offset).CompareTo((pair.Second.Block, pair.Second.Offset)) < 0));
        }, iter: 40);

    [Fact]
    public void An_object_longer_than_a_block_has_one_of_its_own()
    {
        byte[] small = TestPack.TreeOf("small"), large = TestPack.TreeOf("large", 65_530), other = TestPack.TreeOf("other", 60_000);
        using PackFile file = TestPack.Open(TestPack.Write((PackedKind.Tree, small), (PackedKind.Tree, large), (PackedKind.Tree, other)));
        Assert.Equal([0, 1, 2], file.RowsInBlockOrder().Select(row => row.Block));
    }

    [Fact]
    public void A_writer_takes_each_object_once_and_names_nothing_before_the_end()
    {
        using var store = new TestStore();
        using ObjectStore opened = store.Open();
        byte[] tree = TestPack.TreeOf("a");
        Digest digest = Tree.DigestOf(tree);
        using (var abandoned = new Additions(opened))
        {
            Assert.True(abandoned.Pack.Add(PackedKind.Tree, digest, tree));
            Assert.False(abandoned.Pack.Add(PackedKind.Tree, digest, tree));
            Assert.Equal((1, true), (abandoned.Pack.Count, abandoned.Pack.Contains(digest)));
        }

        using (var empty = new Additions(opened))
        {
            Assert.True(empty.Publish().IsNone);
        }

        Assert.Empty(store.Files("packs"));
        Assert.Empty(store.Files("tmp"));
        Assert.False(opened.Packs.Contains(digest));
    }

    [Fact]
    public void The_same_objects_make_the_same_pack_and_publishing_it_twice_is_well()
    {
        using var store = new TestStore();
        using ObjectStore opened = store.Open();
        Digest[] names = [.. Enumerable.Range(0, 2).Select(_ =>
        {
            using var additions = new Additions(opened);
            additions.Pack.Add(PackedKind.Tree, Tree.DigestOf(TestPack.TreeOf("a")), TestPack.TreeOf("a"));
            return additions.Publish();
        })];
        Assert.Equal(names[0], names[1]);
        Assert.Equal([$"packs/{names[0]}.pack"], store.Files("packs"));
    }

    [Fact]
    public void What_another_process_publishes_is_found()
    {
        using var store = new TestStore();
        using ObjectStore reader = store.Open();
        Assert.Empty(reader.Packs.Files);
        Digest commit = store.Commit("main", "a=one");
        Assert.Equal(["a"], TestStore.Read(reader, commit).Keys);
    }

    [Fact]
    public void A_damaged_pack_hides_nothing_that_is_in_another()
    {
        using var store = new TestStore();
        Digest good = store.Commit("good", "a=one");
        Digest bad = store.Commit("bad", "b=two");
        using (ObjectStore opened = store.Open())
        {
            PackFile pack = opened.Packs.Files.Single(file => file.TryFind(bad, out _));
            store.Change($"packs/{pack.Name}.pack", bytes => bytes[^1] ^= 1);
        }

        using ObjectStore again = store.Open();
        Assert.Equal(["a"], TestStore.Read(again, good).Keys);
        Assert.Throws<CorruptException>(() => again.Packs.ReadCommit(bad));
        Assert.False(again.Packs.Contains(bad));
    }

    [Fact]
    public void An_attached_pack_is_read_here_and_never_stored()
    {
        using var store = new TestStore();
        using ObjectStore opened = store.Open();
        using var scratch = new ScratchPack(opened);
        Digest commit = scratch.Pack.Add(new Commit { Tree = default, RootMetadata = TestStore.Metadata, Time = 0, Files = 0, ContentBytes = 0 });
        scratch.Attach();
        Assert.True(opened.Packs.TryReadCommit(commit, out _));
        Assert.False(opened.Packs.Contains(commit));
        Assert.Empty(store.Files("packs"));
        using ObjectStore other = store.Open();
        Assert.False(other.Packs.TryReadCommit(commit, out _));
    }
}
