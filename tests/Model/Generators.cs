using CsCheck;
using HackTree.Model;

namespace HackTree.Tests.Model;

/// <summary>Random values of the model. Awkward values are more frequent than by chance.</summary>
internal static class Generators
{
    public static Gen<Digest> Digest { get; } =
        Gen.Frequency((9, Gen.Byte.Array[32].Select(bytes => new Digest(bytes))), (1, Gen.Const(default(Digest))));

    /// <summary>Bytes of a name: few different ones, so that names share beginnings and collide, or all of them.</summary>
    private static readonly Gen<byte> NameByte = Gen.Byte.Where(b => b is not (0 or (byte)'/'));

    public static Gen<byte[]> Name { get; } = Gen.Frequency(
        (5, Gen.OneOf((byte)'.', (byte)'a', (byte)0xFF).Array[1, 4]),
        (5, NameByte.Array[1, 12]),
        (1, NameByte.Array[250, 255])).Where(name => EntryName.IsValid(name));

    public static Gen<(byte[] Name, byte[] Value)[]> Attributes { get; } = Gen.Select(
            Gen.Byte.Where(b => b != 0).Array[1, 6],
            Gen.Frequency((9, Gen.Byte.Array[0, 20]), (1, Gen.Byte.Array[200, 400])),
            (name, value) => (name, value)).Array[0, 5]
        .Select(all => all.DistinctBy(attribute => Convert.ToHexString(attribute.name)).ToArray());

    public static Gen<byte[]> Xattrs { get; } = Gen.Frequency((3, Gen.Const(Array.Empty<byte>())), (1, Attributes.Select(XattrSet.Encode)));

    private static readonly Gen<long> Time = Gen.OneOf<long>(Gen.Long, Gen.OneOf<long>(0, 1, -1, long.MinValue, long.MaxValue));

    private static readonly Gen<uint> Number = Gen.OneOf<uint>(Gen.UInt, Gen.OneOf<uint>(0u, 1, 1000, uint.MaxValue));

    private static readonly Gen<uint> Owner = Number.Where(id => id != FileMetadata.NoOwner);

    public static Gen<FileMetadata> Metadata { get; } = Gen.Select(
        Gen.UShort[0, FileMetadata.ModeMask], Owner, Owner, Time, (mode, uid, gid, time) => new FileMetadata(mode, uid, gid, time));

    private static readonly Gen<EntryKind> Kind = Gen.OneOf(
        EntryKind.Regular, EntryKind.Directory, EntryKind.Symlink, EntryKind.CharacterDevice, EntryKind.BlockDevice, EntryKind.Fifo);

    private static readonly Gen<(long Size, Digest Digest, byte[] Target, uint Major, uint Minor)> Payload = Gen.Select(
        Gen.OneOf<long>(Gen.Long[0, long.MaxValue], Gen.OneOf(0L, long.MaxValue)),
        Digest,
        Gen.Frequency((9, Gen.Byte.Where(b => b != 0).Array[1, 30]), (1, Gen.Byte.Where(b => b != 0).Array[4090, 4095])),
        Number,
        Number,
        (size, digest, target, major, minor) => (size, digest, target, major, minor));

    public static Gen<TestEntry> Entry { get; } = Gen.Select(Kind, Name, Metadata, Xattrs, Payload, (kind, name, metadata, xattrs, payload) =>
        kind switch
        {
            EntryKind.Regular => new TestEntry(kind, name, metadata, xattrs) { Size = payload.Size, Digest = payload.Digest },
            EntryKind.Directory => new TestEntry(kind, name, metadata, xattrs) { Digest = payload.Digest },
            EntryKind.Symlink => new TestEntry(kind, name, metadata with { Mode = FileMetadata.SymlinkMode }, xattrs) { Target = payload.Target },
            EntryKind.Fifo => new TestEntry(kind, name, metadata, xattrs),
            _ => new TestEntry(kind, name, metadata, xattrs) { Major = payload.Major, Minor = payload.Minor },
        });

    /// <summary>Entries for one directory: any order, no name twice.</summary>
    public static Gen<TestEntry[]> Entries { get; } =
        Entry.Array[0, 12].Select(all => all.DistinctBy(entry => Convert.ToHexString(entry.Name)).ToArray());

    /// <summary>One line of text, with characters that are difficult for text formats.</summary>
    public static Gen<string> Line { get; } = Gen.OneOf(
        "a", "Z", "9", " ", "=", "\t", ":", "\"", "\\", "tree", "meta k=v", "é", "\u0301", "\u2028", "\uFEFF", "\u0085", "\uFFFD", "😀", "\u001B[31m")
        .Array[0, 8].Select(string.Concat);

    public static Gen<Commit> Commit { get; } = Gen.Select(
        Gen.Select(Digest, Metadata, Xattrs, Digest.Array[0, 3]),
        Gen.Select(Time, Gen.Long[0, long.MaxValue], Gen.Long[0, long.MaxValue]),
        Gen.Select(Line, Line.Array[0, 4], Gen.Select(Gen.OneOf("a", "B", "_", "-", ".", "9").Array[1, 5].Select(string.Concat), Line).Array[0, 4]),
        (root, totals, text) => new Commit
        {
            Tree = root.Item1,
            RootMetadata = root.Item2,
            RootXattrs = root.Item3,
            Parents = [.. root.Item4],
            Time = totals.Item1,
            Files = totals.Item2,
            ContentBytes = totals.Item3,
            Subject = text.Item1,
            Body = string.Join('\n', text.Item2),
            Annotations = HackTree.Model.Commit.NoAnnotations.AddRange(text.Item3.DistinctBy(pair => pair.Item1)
                .Select(pair => KeyValuePair.Create(pair.Item1, pair.Item2))),
        });
}
