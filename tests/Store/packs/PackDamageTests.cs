using System.Buffers.Binary;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Model;

namespace HackTree.Tests.Store;

/// <summary>Packs that are damaged or made to do harm give the right bytes or a <see cref="CorruptException"/>, and nothing else.</summary>
public sealed class PackDamageTests
{
    private static readonly byte[] Good = MakeGood();
    private static readonly Dictionary<Digest, byte[]> Objects = TestPack.ReadAll(Good);

    [Fact]
    public void The_good_one_is_good_and_has_a_packed_and_a_plain_block()
    {
        Assert.Equal(5, Objects.Count);
        Assert.All(Objects, pair => Assert.Contains(pair.Key, new[] { Tree.DigestOf(pair.Value), Commit.DigestOf(pair.Value) }));
        int table = TestPack.TableOffset(Good);
        int count = (TestPack.IndexOffset(Good) - table) / PackLayout.BlockRowSize;
        BlockRow[] blocks = [.. Enumerable.Range(0, count).Select(i => BlockRow.Read(Good.AsSpan(table + (i * PackLayout.BlockRowSize))))];
        Assert.Contains(blocks, block => block.StoredLength < block.RawLength);
        Assert.Equal(Good, TestPack.Seal(Good, [.. Good]));
    }

    [Fact]
    public void Every_flipped_bit_that_matters_to_an_object_is_noticed()
    {
        // All bits of the long block in the middle are alike, so only some of them are flipped.
        for (int bit = 0; bit < Good.Length * 8; bit += IsAlike(bit / 8) ? 997 : 1)
        {
            byte[] bad = [.. Good];
            bad[bit / 8] ^= (byte)(1 << (bit % 8));
            ReadEach(bad);
        }
    }

    [Fact]
    public void Every_lost_end_is_noticed()
    {
        for (int length = 0; length < Good.Length; length += IsAlike(length) ? 997 : 1)
        {
            Assert.Throws<CorruptException>(() => TestPack.ReadAll(Good.AsSpan(0, length)));
        }

        Assert.Throws<CorruptException>(() => TestPack.ReadAll([.. Good, 0]));
    }

    /// <summary>A position and the value to write there, in 32 or 64 bits.</summary>
    public static TheoryData<string, int, long, int> Lies
    {
        get
        {
            int table = TestPack.TableOffset(Good), index = TestPack.IndexOffset(Good), footer = Good.Length - PackLayout.FooterSize;
            var lies = new TheoryData<string, int, long, int>();
            foreach (long value in new long[] { -1, int.MinValue, int.MaxValue, 1L << 30 })
            {
                lies.Add("blocks", footer + 8, value, 4);
                lies.Add("objects", footer + 12, value, 4);
                lies.Add("stored length", table + 8, value, 4);
                lies.Add("raw length", table + 12, value, 4);
                lies.Add("object's block", index + 32, value, 4);
                lies.Add("object's offset", index + 36, value, 4);
                lies.Add("object's length", index + 40, value, 4);
            }

            foreach (long value in new[] { -1, long.MinValue, long.MaxValue, 0, 15, table, Good.Length, 1L << 40 })
            {
                lies.Add("block's offset", table, value, 8);
                if (value != table)
                {
                    lies.Add("table's offset", footer + 16, value, 8);
                }

                lies.Add("index's offset", footer + 24, value, 8);
            }

            lies.Add("no blocks", footer + 8, 0, 4);
            lies.Add("no objects", footer + 12, 0, 4);
            lies.Add("stored length of nothing", table + 8, 0, 4);
            lies.Add("raw length of nothing", table + 12, 0, 4);
            lies.Add("raw length too short", table + 12, 1, 4);
            lies.Add("object behind the block's end", index + 36, 1 << 16, 4);
            lies.Add("kind 0", index + 44, 0, 1);
            lies.Add("kind 3", index + 44, 3, 1);
            lies.Add("reserved in a row", index + 45, 1, 1);
            lies.Add("reserved in the header", 8, 1, 1);
            lies.Add("reserved in the footer", footer + 40, 1, 1);
            lies.Add("unsorted", index, -1, 8);
            return lies;
        }
    }

    [Theory]
    [MemberData(nameof(Lies))]
    public void Lying_numbers_under_true_checksums_are_refused(string what, int at, long value, int size)
    {
        byte[] bad = [.. Good];
        Span<byte> number = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(number, value);
        number[..size].CopyTo(bad.AsSpan(at));
        long before = GC.GetAllocatedBytesForCurrentThread();

        Assert.Throws<CorruptException>(() => TestPack.ReadAll(TestPack.Seal(Good, bad)));

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(allocated < 64 * 1024 * 1024, $"{what}: {allocated} bytes to find out");
    }

    [Fact]
    public void A_digest_twice_in_an_index_is_refused()
    {
        int index = TestPack.IndexOffset(Good);
        byte[] bad = [.. Good];
        bad.AsSpan(index, PackLayout.IndexRowSize).CopyTo(bad.AsSpan(index + PackLayout.IndexRowSize));
        Assert.Throws<CorruptException>(() => TestPack.ReadAll(TestPack.Seal(Good, bad)));
    }

    [Fact]
    public void Mutations_give_bytes_or_a_refusal_and_nothing_else()
    {
        byte[][] samples =
        [
            TestPack.Write((PackedKind.Tree, TestPack.TreeOf("a")), (PackedKind.Tree, TestPack.TreeOf(new string('b', 200)))),
            TestPack.Write((PackedKind.Tree, Tree.Empty.Bytes.ToArray())),
        ];
        var mutator = new Mutator(20261123);
        for (int i = 0; i < 3000; i++)
        {
            TryReadAll(mutator.Next(samples));
        }
    }

    [Fact]
    public void Mutations_under_true_checksums_give_bytes_or_a_refusal_and_nothing_else()
    {
        byte[] honest = TestPack.Write(
            (PackedKind.Tree, TestPack.TreeOf("a")),
            (PackedKind.Tree, TestPack.TreeOf(new string('b', 200))),
            (PackedKind.Commit, TestPack.CommitOf([], new string('c', 500))));
        var random = new Random(20261123);
        for (int i = 0; i < 5000; i++)
        {
            byte[] bad = [.. honest];
            for (int changes = random.Next(1, 4); changes > 0; changes--)
            {
                bad[random.Next(bad.Length)] = (byte)random.Next(256);
            }

            TryReadAll(TestPack.Seal(honest, bad));
        }
    }

    private static bool IsAlike(int at) => at > 500 && at < Good.Length - 700;

    private static void TryReadAll(byte[] bytes)
    {
        try
        {
            TestPack.ReadAll(bytes);
        }
        catch (CorruptException)
        {
            // This is one of the two allowed outcomes.
        }
    }

    /// <summary>Looks for each object. It must be found undamaged, or refused; a changed index may not hide it.</summary>
    private static void ReadEach(byte[] bad)
    {
        using PackFile file = TestPack.Open(bad);
        foreach ((Digest digest, byte[] bytes) in Objects)
        {
            try
            {
                Assert.True(file.TryFind(digest, out IndexRow row));
                Assert.Equal(bytes, file.ReadBlock(row.Block).AsSpan(row.Offset, row.Length).ToArray());
            }
            catch (CorruptException)
            {
                // The damage was noticed.
            }
        }
    }

    private static byte[] MakeGood()
    {
        byte[] tree = TestPack.TreeOf("name");
        return TestPack.Write(
            (PackedKind.Tree, tree),
            (PackedKind.Tree, Tree.Empty.Bytes.ToArray()),
            (PackedKind.Commit, TestPack.CommitOf(tree, new string('x', 300))),
            (PackedKind.Tree, TestPack.TreeOf("long", 65_000)),
            (PackedKind.Commit, TestPack.CommitOf(tree, "after")));
    }
}
