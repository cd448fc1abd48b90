using System.Security.Cryptography;
using CsCheck;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Tests.Model;

namespace HackTree.Tests.Checkout;

/// <summary>The reader reads what the writer writes, and the writer always writes the same bytes.</summary>
public sealed class TarRoundTripTests
{
    private static readonly Gen<byte> NonZero = Gen.Byte[1, 255];

    private static readonly Gen<byte[]> Name = Gen.Frequency(
        (4, Gen.Char['a', 'c'].Select(c => (byte)c).Array[1, 3]),
        (2, NonZero.Array[1, 20]),
        (1, NonZero.Array[95, 105]),
        (1, NonZero.Array[250, 255])).Where(name => EntryName.IsValid(name));

    private static readonly Gen<byte[]> Path = Gen.Frequency(
        (9, Name.Array[1, 5]), (1, Name.Array[40, 60])).Select(names => names.SelectMany((name, i) => i == 0 ? name : [(byte)'/', .. name]).ToArray());

    private static readonly Gen<uint> Number = Gen.Frequency<uint>(
        (2, Gen.UInt), (2, Gen.UInt[0, 5000]), (1, Gen.OneOf<uint>(2097151u, 2097152, uint.MaxValue)));

    private static readonly Gen<long> Time = Gen.Frequency<long>(
        (2, Gen.Long), (2, Gen.Long[0, 2000000000]), (1, Gen.OneOf<long>(-1, 8589934591, 8589934592, long.MinValue, long.MaxValue)));

    private static readonly Gen<byte[]> AccessList = Gen.Select(
        Gen.UShort[0, 9], Gen.UShort[0, 9], Number, (tag, mode, id) => (byte[])[
            2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, (byte)mode, 0, .. BitConverter.GetBytes(id),
            (byte)Math.Max(tag, (ushort)4), 0, 4, 0, 255, 255, 255, 255, 16, 0, 0, 0, 255, 255, 255, 255, 32, 0, 1, 0, 255, 255, 255, 255]);

    private static readonly Gen<(byte[] Name, byte[] Value)> Xattr = Gen.Select(
        Gen.Frequency((3, NonZero.Array[1, 30]), (1, NonZero.Array[255]), (1, Gen.OneOf("="u8.ToArray(), "a%3D%25"u8.ToArray(), "%%3D=3D"u8.ToArray()))),
        Gen.Frequency((5, Gen.Byte.Array[0, 40]), (1, Gen.Byte.Array[65530, 65536])),
        (name, value) => (name, value));

    private static readonly Gen<(byte[] Name, byte[] Value)> ListXattr = Gen.Select(
        Gen.OneOf("system.posix_acl_access"u8.ToArray(), "system.posix_acl_default"u8.ToArray()),
        Gen.Frequency((3, AccessList), (1, Gen.Byte.Array[0, 50])),
        (name, value) => (name, value));

    private static readonly Gen<byte[]> Xattrs = Gen.Frequency<(byte[] Name, byte[] Value)[]>(
            (3, Gen.Const(Array.Empty<(byte[], byte[])>())), (2, Xattr.Array[1, 4]), (1, ListXattr.Array[1, 2]))
        .Select(all => XattrSet.Encode(all.DistinctBy(x => Convert.ToHexString(x.Name))));

    private static readonly Gen<FileMetadata> Metadata = Gen.Select(
        Gen.UShort[0, FileMetadata.ModeMask], Number, Number, Time, (mode, uid, gid, time) => new FileMetadata(mode, uid, gid, time));

    private static readonly Gen<EntryKind> Kind = Gen.Byte[1, 6].Select(kind => (EntryKind)kind);

    private static readonly Gen<(byte[] Content, byte[] Target, uint Major, uint Minor)> Payload = Gen.Select(
        Gen.Frequency((5, Gen.Byte.Array[0, 600]), (1, Gen.Byte.Array[512]), (1, Gen.Byte.Array[70000])),
        Gen.Frequency((5, NonZero.Array[1, 30]), (1, NonZero.Array[98, 102]), (1, NonZero.Array[4000, 4095])),
        Number,
        Number,
        (content, target, major, minor) => (content, target, major, minor));

    private static readonly Gen<TarItem> Item = Gen.Select(Kind, Path, Metadata, Xattrs, Payload, (kind, path, metadata, xattrs, payload) =>
    {
        var entry = new TestEntry(kind, [], kind == EntryKind.Symlink ? metadata with { Mode = FileMetadata.SymlinkMode } : metadata, xattrs);
        return kind switch
        {
            EntryKind.Regular => new TarItem(path, entry with { Size = payload.Content.Length }, payload.Content),
            EntryKind.Symlink => new TarItem(path, entry with { Target = payload.Target }, []),
            EntryKind.CharacterDevice or EntryKind.BlockDevice => new TarItem(path, entry with { Major = payload.Major, Minor = payload.Minor }, []),
            _ => new TarItem(path, entry, []),
        };
    });

    /// <summary>A small archive with one entry of each kind.</summary>
    internal static byte[] Sample { get; } = TarItem.Write(
        Make("", EntryKind.Directory, 0x1ED),
        Make("bin", EntryKind.Directory, 0x1ED),
        Make("bin/sh", EntryKind.Regular, 0x9ED, "#!content\n"u8),
        Make("bin/ünï", EntryKind.Regular, 0x1A4, xattrs: XattrSet.Encode([("user.a=b"u8.ToArray(), [0, 10, 255]), ("security.capability"u8.ToArray(), [1, 0, 0, 2])])),
        Make("dev", EntryKind.CharacterDevice, 0x1B6),
        Make("disk", EntryKind.BlockDevice, 0x1B0),
        Make("fifo", EntryKind.Fifo, 0x180),
        Make("link", EntryKind.Symlink, FileMetadata.SymlinkMode),
        Make(new string('d', 90) + "/" + new string('n', 99), EntryKind.Regular, 0, "x"u8),
        Make(new string('l', 150), EntryKind.Symlink, FileMetadata.SymlinkMode));

    [Fact]
    public void What_is_written_is_read() => Item.Array[0, 6].Sample(
        items => Assert.Equal(items.Select(item => item.Line()), TarItem.Read(TarItem.Write(items)).Select(item => item.Line())), iter: 500);

    [Fact]
    public void The_same_entries_give_the_same_bytes() =>
        Item.Array[1, 3].Sample(items => Assert.Equal(TarItem.Write(items), TarItem.Write(items)), iter: 50);

    [Fact]
    public void The_bytes_of_an_archive_never_change()
    {
        Assert.Equal(10240, Sample.Length);
        Assert.Equal("d6052e24d7d76dfb4fcb7a483cac4a6f322e03910f205e19a4ff40e249cbd58c", Convert.ToHexStringLower(SHA256.HashData(Sample)));
    }

    [Fact]
    public void A_plain_entry_has_no_pax_header()
    {
        byte[] archive = TarItem.Write(Make("bin/sh", EntryKind.Regular, 0x1ED, "x"u8));
        Assert.Equal((byte)'0', archive[TarHeader.TypeOffset]);
        Assert.Equal("bin/sh\0"u8.ToArray(), archive[..7]);
        Assert.Equal("0000755\00001750\00003720\000000000001\000000001750\0"u8.ToArray(), archive[100..148]);
    }

    [Fact]
    public void What_does_not_fit_is_in_a_pax_header()
    {
        byte[] archive = TarItem.Write(Make("bin/\u00FC", EntryKind.Regular, 0x1ED));
        Assert.Equal("./PaxHeaders/\u00FC\0"u8.ToArray(), archive[..16]);
        Assert.Equal("0000644\00000000\00000000\000000000017\000000000000\0"u8.ToArray(), archive[100..148]);
        Assert.Equal("15 path=bin/\u00FC\n\0"u8.ToArray(), archive[512..528]);
        Assert.Equal("bin/\u00FC\0"u8.ToArray(), archive[1024..1031]);
    }

    [Theory]
    [InlineData(100, false)]
    [InlineData(101, true)]
    public void A_name_too_long_for_the_header_has_one(int length, bool hasOne)
    {
        byte[] archive = TarItem.Write(Make(new string('a', length), EntryKind.Regular, 0));
        Assert.Equal(hasOne ? 'x' : '0', (char)archive[TarHeader.TypeOffset]);
    }

    [Fact]
    public void A_file_of_more_than_8_GiB_is_said_to_be()
    {
        long size = 1L << 33;
        var archive = new MemoryStream();
        new TarWriter(archive).Add("big"u8, new TreeEntry { Kind = EntryKind.Regular, Size = size });
        var reader = new TarReader(new MemoryStream(archive.ToArray()));
        Assert.True(reader.Next());
        Assert.Equal(size, reader.Size);
        Assert.Throws<TarException>(() => reader.Next());
    }

    [Fact]
    public void The_writer_holds_the_caller_to_the_size()
    {
        var writer = new TarWriter(new MemoryStream());
        writer.Add("a"u8, new TreeEntry { Kind = EntryKind.Regular, Size = 2 });
        Assert.Throws<InvalidOperationException>(() => writer.WriteContent("abc"u8));
        writer.WriteContent("a"u8);
        Assert.Throws<InvalidOperationException>(writer.Finish);
        Assert.Throws<InvalidOperationException>(() => writer.Add("b"u8, new TreeEntry { Kind = EntryKind.Fifo }));
    }

    [Fact]
    public void A_stream_that_gives_a_byte_at_a_time_will_do() =>
        Assert.Equal(TarItem.Lines(TarItem.Read(Sample)), TarItem.Lines(TarItem.Read(new TrickleStream(Sample))));

    private static TarItem Make(string path, EntryKind kind, int mode, ReadOnlySpan<byte> content = default, byte[]? xattrs = null)
    {
        var entry = new TestEntry(kind, [], new FileMetadata((ushort)mode, 1000, 2000, 1000), xattrs ?? [])
        {
            Size = content.Length,
            Target = kind == EntryKind.Symlink ? [.. "../t/"u8, .. System.Text.Encoding.UTF8.GetBytes(path)] : [],
            Major = kind is EntryKind.CharacterDevice or EntryKind.BlockDevice ? 8u : 0,
            Minor = kind is EntryKind.CharacterDevice or EntryKind.BlockDevice ? 1048575u : 0,
        };
        return new TarItem(System.Text.Encoding.UTF8.GetBytes(path), entry, content.ToArray());
    }

    private sealed class TrickleStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(buffer.Length, 1)]);
    }
}
