using HackTree.Model;
using HackTree.Tests.Support;

namespace HackTree.Tests.Model;

/// <summary>Compares with `fsverity digest`. Where that is missing, GoldenTests pins some of the same digests.</summary>
public sealed class VerityTests
{
    private const int Block = Verity.BlockSize;
    private const int Segment = Verity.SegmentSize;
    private const int TwoLevels = 128 * Segment;

    [Fact]
    public void Digests_are_those_of_the_fsverity_program()
    {
        Tools.Require("fsverity");
        using var directory = new TempDirectory();
        int[] sizes = [.. Sizes().Distinct()];
        string[] files = [.. sizes.Select(size => directory.Write($"{size}", Content.Of(size)))];
        string[] lines = Tools.Run("fsverity", ["digest", "--compact", .. files]).Succeeded().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(sizes.Length, lines.Length);
        Assert.All(sizes.Zip(lines), pair => Assert.Equal($"{pair.First} {pair.Second}", $"{pair.First} {Verity.Compute(Content.Of(pair.First))}"));
    }

    /// <summary>Blocks of zeros are not hashed each.</summary>
    [Theory]
    [InlineData(2 * Block, Block - 1)]
    [InlineData(2 * Block, Block)]
    [InlineData(3 * Segment, Segment)]
    [InlineData((2 * Segment) + 5, (2 * Segment) + 4)]
    [InlineData(2 * Segment, -1)]
    public void Zeros_count_as_any_bytes(int size, int other)
    {
        Tools.Require("fsverity");
        byte[] content = new byte[size];
        if (other >= 0)
        {
            content[other] = 1;
        }

        using var directory = new TempDirectory();
        File.WriteAllBytes(directory.At("zeros"), content);
        Assert.Equal(Tools.Run("fsverity", "digest", "--compact", directory.At("zeros")).Succeeded().Trim(), Verity.Compute(content).ToString());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(Segment)]
    [InlineData((3 * Segment) + Block)]
    [InlineData((5 * Segment) + 12345)]
    public void Segments_may_be_hashed_in_any_order_and_on_any_core(int size)
    {
        byte[] content = Content.Of(size);
        int count = (int)Verity.SegmentCount(size);
        byte[][] hashes = [.. Enumerable.Range(0, count).Select(_ => new byte[Digest.Size])];
        Parallel.For(0, count, i =>
        {
            int start = (count - 1 - i) * Segment;
            Verity.HashSegment(content.AsSpan(start, Math.Min(Segment, size - start)), size, hashes[start / Segment]);
        });
        var tree = new VerityTree(size);
        foreach (byte[] hash in hashes)
        {
            tree.Append(hash);
        }

        Assert.Equal(Verity.Compute(content), tree.Finish());
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(Segment, 1)]
    [InlineData(Segment + 1, 2)]
    [InlineData(1L << 44, 1L << 25)]
    [InlineData(long.MaxValue, 1L << 44)]
    public void A_segment_is_128_blocks(long size, long count) => Assert.Equal(count, Verity.SegmentCount(size));

    [Fact]
    public void Every_byte_and_the_size_count()
    {
        byte[] content = Content.Of(Segment + 1);
        Digest digest = Verity.Compute(content);
        foreach (int at in (int[])[0, Block - 1, Block, Segment - 1, Segment])
        {
            content[at] ^= 1;
            Assert.NotEqual(digest, Verity.Compute(content));
            content[at] ^= 1;
        }

        // Zeros that fill up a block are not zeros in the file.
        Assert.NotEqual(Verity.Compute(new byte[Block - 1]), Verity.Compute(new byte[Block]));
        Assert.NotEqual(Verity.Compute([]), Verity.Compute(new byte[1]));
    }

    [Fact]
    public void Wrong_lengths_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => Verity.HashSegment([], 0, new byte[Digest.Size]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Verity.HashSegment(new byte[Segment + 1], Segment + 1, new byte[Digest.Size]));
        Assert.Throws<InvalidOperationException>(() => new VerityTree(1).Finish());
        Assert.Throws<InvalidOperationException>(() => new VerityTree(Segment + 1).Finish());
        var tree = new VerityTree(0);
        tree.Append(new byte[Digest.Size]);
        Assert.Throws<InvalidOperationException>(() => tree.Finish());
    }

    private static IEnumerable<int> Sizes()
    {
        int[] boundaries = [Block, 2 * Block, Segment - Block, Segment, Segment + Block, 2 * Segment, (2 * Segment) + Block, 3 * Segment];
        IEnumerable<int> small = boundaries.SelectMany(size => (int[])[size - 1, size, size + 1]);
        var random = new Random(7);
        IEnumerable<int> others = Enumerable.Range(0, 20).Select(_ => random.Next(4 * Segment));
        return [0, 1, 100, .. small, .. others, 63 * Segment + 1, TwoLevels - 1, TwoLevels, TwoLevels + 1, TwoLevels + Block + 1];
    }
}
