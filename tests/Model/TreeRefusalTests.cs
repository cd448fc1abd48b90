using System.Buffers.Binary;
using System.Text;
using HackTree.Model;

namespace HackTree.Tests.Model;

public sealed class TreeRefusalTests
{
    // The offsets of TreeLayout's drawing, written out. The bytes of one entry begin behind the count.
    private const int Kind = 4, NameLength = 5, Mode = 6, Uid = 8, Gid = 12, XattrLength = 16, Payload = 28;

    public static TheoryData<string> BadNames { get; } = ["", ".", "..", "/", "a/b", "/a", "a/", "../a", "a\0", "\0", new string('n', 256)];

    [Theory]
    [MemberData(nameof(BadNames))]
    public void A_builder_refuses_names_that_are_none(string name)
    {
        var builder = new TreeBuilder();
        Assert.Throws<ArgumentException>(() => builder.Add(TestEntry.Fifo(Encoding.UTF8.GetBytes(name)).View));
        Assert.Equal(0, builder.Count);
        Assert.Equal(0, builder.Build().Count);
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("/")]
    [InlineData("a/b")]
    [InlineData("a\0")]
    public void A_decoder_refuses_names_that_are_none(string name)
    {
        byte[] bytes = [1, 0, 0, 0, (byte)EntryKind.Fifo, (byte)name.Length, .. new byte[22], .. Encoding.UTF8.GetBytes(name)];
        Assert.NotNull(Fault(bytes));
        bytes = [.. bytes[..5], 4, .. new byte[22], .. "good"u8];
        Assert.Null(Fault(bytes));
    }

    [Theory]
    [InlineData(1u)]
    [InlineData(2u)]
    [InlineData(1_000_000_000u)]
    [InlineData(int.MaxValue)]
    [InlineData(0x80000000)]
    [InlineData(uint.MaxValue)]
    public void A_count_that_the_bytes_cannot_hold_is_refused_at_once(uint count)
    {
        byte[] bytes = new byte[28];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, count);
        Assert.NotNull(Fault(bytes));
        Assert.NotNull(Fault(bytes[..4]));
    }

    [Fact]
    public void A_count_that_is_too_small_or_too_large_is_refused()
    {
        byte[] bytes = TestEntry.Build(TestEntry.Fifo(1), TestEntry.Fifo(2)).Bytes.ToArray();
        foreach (byte count in (byte[])[0, 1, 3])
        {
            bytes[0] = count;
            Assert.NotNull(Fault(bytes));
        }
    }

    [Fact]
    public void Entries_out_of_order_and_names_twice_are_refused()
    {
        byte[] a = One(TestEntry.Fifo("a"u8.ToArray())), b = One(TestEntry.Fifo("b"u8.ToArray()));
        byte[] two = [2, 0, 0, 0];
        Assert.Null(Fault([.. two, .. a[4..], .. b[4..]]));
        Assert.Contains("sorted", Fault([.. two, .. b[4..], .. a[4..]]), StringComparison.Ordinal);
        Assert.NotNull(Fault([.. two, .. a[4..], .. a[4..]]));
        TestEntry file = new(EntryKind.Regular, "a"u8.ToArray(), default, []);
        Assert.Throws<ArgumentException>(() => TestEntry.Build(TestEntry.Fifo("a"u8.ToArray()), file));
    }

    [Fact]
    public void Names_are_ordered_as_bytes_and_not_as_text()
    {
        byte[][] names = ["A"u8.ToArray(), "B"u8.ToArray(), "a"u8.ToArray(), "a\x01"u8.ToArray(), "a."u8.ToArray(), "a0"u8.ToArray(), [0x80], [0xFF]];
        Tree tree = TestEntry.Build(names.Reverse().Select(name => TestEntry.Fifo(name)));
        int i = 0;
        foreach (TreeEntry entry in tree)
        {
            Assert.Equal(names[i++], entry.Name);
        }
    }

    [Fact]
    public void Kinds_that_are_none_are_refused()
    {
        byte[] bytes = One(TestEntry.Fifo(1));
        foreach (byte kind in Enumerable.Range(0, 256).Select(kind => (byte)kind).Where(kind => kind != (byte)EntryKind.Fifo))
        {
            bytes[Kind] = kind;
            Assert.NotNull(Fault(bytes));
            if (kind is 0 or > 6)
            {
                TestEntry entry = TestEntry.Fifo(1) with { Kind = (EntryKind)kind };
                Assert.Throws<ArgumentException>(() => TestEntry.Build(entry));
            }
        }
    }

    [Fact]
    public void Modes_of_more_than_12_bits_are_refused()
    {
        byte[] bytes = One(TestEntry.Fifo(1));
        bytes[Mode + 1] = 0x0F;
        Assert.Null(Fault(bytes));
        bytes[Mode + 1] = 0x10;
        Assert.NotNull(Fault(bytes));
        TestEntry entry = TestEntry.Fifo(1) with { Metadata = new FileMetadata(0x8000, 0, 0, 0) };
        Assert.Throws<ArgumentException>(() => TestEntry.Build(entry));
    }

    [Fact]
    public void The_owner_that_means_no_change_to_chown_is_refused()
    {
        byte[] bytes = One(TestEntry.Fifo(1));
        foreach (int at in (int[])[Uid, Gid])
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at), uint.MaxValue - 1);
            Assert.Null(Fault(bytes));
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at), uint.MaxValue);
            Assert.NotNull(Fault(bytes));
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at), 0);
        }
    }

    [Fact]
    public void A_symlink_has_mode_0777_and_a_target_of_1_to_4095_bytes_without_NUL()
    {
        TestEntry good = TestEntry.Symlink([1], [.. Enumerable.Repeat((byte)'t', 4095)]);
        Assert.Equal(1, TestEntry.Build(good).Count);
        Assert.Throws<ArgumentException>(() => TestEntry.Build(good with { Target = [.. good.Target, 1] }));
        Assert.Throws<ArgumentException>(() => TestEntry.Build(good with { Target = [] }));
        Assert.Throws<ArgumentException>(() => TestEntry.Build(good with { Target = "a\0b"u8.ToArray() }));
        Assert.Throws<ArgumentException>(() => TestEntry.Build(good with { Metadata = new FileMetadata(0x1A4, 0, 0, 0) }));
        Assert.Throws<ArgumentException>(() => TestEntry.Build(TestEntry.Fifo(1) with { Target = [1] }));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(2u)]
    [InlineData(4u)]
    [InlineData(int.MaxValue)]
    [InlineData(0x80000000)]
    [InlineData(uint.MaxValue)]
    public void A_length_of_a_target_or_of_xattrs_that_does_not_hold_is_refused(uint length)
    {
        byte[] bytes = One(TestEntry.Symlink([1], [1, 2, 3]));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(Payload), length);
        Assert.NotNull(Fault(bytes));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(Payload), 3);
        Assert.Null(Fault(bytes));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(XattrLength), length == 0 ? 1 : length);
        Assert.NotNull(Fault(bytes));
    }

    [Fact]
    public void A_length_of_a_name_that_does_not_hold_is_refused()
    {
        byte[] bytes = One(TestEntry.Fifo("name"u8.ToArray()));
        foreach (int length in Enumerable.Range(0, 256).Where(length => length != 4))
        {
            bytes[NameLength] = (byte)length;
            Assert.NotNull(Fault(bytes));
        }
    }

    [Fact]
    public void A_negative_size_is_refused()
    {
        TestEntry file = new(EntryKind.Regular, [1], default, []);
        byte[] bytes = One(file);
        bytes[Payload + 7] = 0x80;
        Assert.NotNull(Fault(bytes));
        Assert.Throws<ArgumentException>(() => TestEntry.Build(file with { Size = -1 }));
    }

    [Fact]
    public void Xattrs_that_are_not_canonical_are_refused()
    {
        byte[] xattrs = XattrSet.Encode([("user.a"u8.ToArray(), [1])]);
        Assert.Equal(1, TestEntry.Build(TestEntry.Fifo(1) with { Xattrs = xattrs }).Count);
        Assert.Throws<ArgumentException>(() => TestEntry.Build(TestEntry.Fifo(1) with { Xattrs = [.. xattrs, .. xattrs] }));
        Assert.Throws<ArgumentException>(() => TestEntry.Build(TestEntry.Fifo(1) with { Xattrs = xattrs[..^1] }));
    }

    [Fact]
    public void Bytes_too_few_or_too_many_are_no_tree()
    {
        Assert.NotNull(Fault([]));
        Assert.NotNull(Fault([0, 0, 0]));
        Assert.NotNull(Fault([0, 0, 0, 0, 0]));
    }

    [Fact]
    public void What_an_error_says_of_a_bad_name_fools_no_terminal()
    {
        byte[] bytes = [1, 0, 0, 0, (byte)EntryKind.Fifo, 4, .. new byte[22], .. "\n\x1B[/"u8];
        string fault = Fault(bytes)!;
        Assert.DoesNotContain(fault, char.IsControl);
        Assert.Contains("\\n\\033[/", fault, StringComparison.Ordinal);
    }

    private static byte[] One(TestEntry entry) => TestEntry.Build(entry).Bytes.ToArray();

    private static string? Fault(byte[] bytes)
    {
        bool taken = Tree.TryDecode(bytes, out Tree? tree, out string? error);
        Assert.Equal(taken, tree is not null);
        Assert.Equal(taken, error is null);
        return error;
    }
}
