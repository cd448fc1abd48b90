using HackTree.Model;
using HackTree.Store;

namespace HackTree.Tests.Store;

public sealed class BlockCacheTests
{
    // More blocks than the cache has buffers, so that each buffer is used for several blocks.
    private const int Objects = 500;
    private const int Size = 30_000;
    private const int DamagedBlock = 70;

    [Fact]
    public void Threads_that_read_at_random_get_what_they_asked_for_beside_a_damaged_block()
    {
        using var store = new TestStore();
        var trees = new Dictionary<Digest, byte[]>();
        HashSet<Digest> damaged = WriteWithDamage(store, trees);
        Digest[] digests = [.. trees.Keys];
        using ObjectStore opened = store.Open();

        Parallel.For(0, 4, seed =>
        {
            var random = new Random(seed);
            var buffer = new TreeBuffer();
            for (int i = 0; i < 1_500; i++)
            {
                Digest digest = digests[random.Next(digests.Length)];
                if (damaged.Contains(digest))
                {
                    Assert.Contains($"block {DamagedBlock} ", Assert.Throws<CorruptException>(() => opened.Packs.ReadTree(digest, buffer)).Message, StringComparison.Ordinal);
                }
                else
                {
                    Assert.Equal(trees[digest], opened.Packs.ReadTree(digest, random.Next(2) == 0 ? buffer : null).Bytes.ToArray());
                }
            }
        });
    }

    [Fact]
    public void A_tree_without_a_buffer_of_its_own_outlives_what_is_read_later()
    {
        using var store = new TestStore();
        var trees = new Dictionary<Digest, byte[]>();
        HashSet<Digest> damaged = WriteWithDamage(store, trees);
        using ObjectStore opened = store.Open();

        Dictionary<Digest, Tree> read = trees.Keys.Where(digest => !damaged.Contains(digest)).ToDictionary(digest => digest, digest => opened.Packs.ReadTree(digest));

        Assert.True(damaged.Count > 0);
        Assert.All(read, tree => Assert.Equal(trees[tree.Key], tree.Value.Bytes.ToArray()));
    }

    /// <summary>Publishes a pack of trees and flips a byte in one of its blocks. Returns the trees in that block.</summary>
    private static HashSet<Digest> WriteWithDamage(TestStore store, Dictionary<Digest, byte[]> trees)
    {
        using ObjectStore opened = store.Open();
        using var additions = new Additions(opened);
        for (int i = 0; i < Objects; i++)
        {
            byte[] tree = TestPack.TreeOf($"n{i}", Size);
            trees.Add(Tree.DigestOf(tree), tree);
            Assert.True(additions.Pack.Add(PackedKind.Tree, Tree.DigestOf(tree), tree));
        }

        string path = store.At($"objects/packs/{additions.Publish()}.pack");
        PackFile pack = Assert.Single(opened.Packs.Files);
        IndexRow[] rows = pack.RowsInBlockOrder();
        Assert.True(pack.BlockCount > 2 * DamagedBlock);

        byte[] bytes = File.ReadAllBytes(path);
        BlockRow block = BlockRow.Read(bytes.AsSpan(TestPack.TableOffset(bytes) + (DamagedBlock * PackLayout.BlockRowSize)));
        bytes[block.Offset + 10] ^= 1;
        File.Delete(path);
        File.WriteAllBytes(path, bytes);
        return [.. rows.Where(row => row.Block == DamagedBlock).Select(row => row.Digest)];
    }
}
