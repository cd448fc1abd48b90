using System.Buffers.Binary;
using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>
/// What a file of OSTree has beside its content. All numbers are big-endian. The bytes of <see cref="Encode"/>, and then the content, are what
/// the file's checksum is made of.
/// </summary>
/// <param name="Uid">The owner.</param>
/// <param name="Gid">The group.</param>
/// <param name="Mode">Permissions and type, as in st_mode.</param>
/// <param name="Target">The target of a symbolic link; else empty.</param>
/// <param name="Attributes">The extended attributes as OSTree has them: <c>a(ayay)</c>.</param>
internal readonly record struct OstreeHeader(uint Uid, uint Gid, uint Mode, byte[] Target, byte[] Attributes)
{
    private const uint TypeMask = 0xF000;

    // Before a header stand its length, and four bytes that align it.
    private const int Frame = 8;

    internal FileType Type => (FileType)(Mode & TypeMask);

    internal FileMetadata Metadata => new((ushort)(Mode & FileMetadata.ModeMask), Uid, Gid, 0);

    /// <summary>Whether a tree may hold an entry with these numbers.</summary>
    internal bool IsPossible => (Mode & ~(TypeMask | FileMetadata.ModeMask)) == 0 && Uid != FileMetadata.NoOwner && Gid != FileMetadata.NoOwner;

    /// <summary>Reads <c>(uuua(ayay))</c>: the metadata of a directory, or what a bare-user repository has of a file.</summary>
    internal static OstreeHeader OfMetadata(ReadOnlySpan<byte> bytes)
    {
        Range[] at = Variant.Members(bytes, Variant.Number, Variant.Number, Variant.Number, Variant.Bytes);
        return new OstreeHeader(NumberAt(bytes, at[0]), NumberAt(bytes, at[1]), NumberAt(bytes, at[2]), [], bytes[at[3]].ToArray());
    }

    /// <summary>Reads <c>(tuuuusa(ayay))</c>: what stands before the content of a file of an archive repository.</summary>
    internal static OstreeHeader OfArchive(ReadOnlySpan<byte> bytes, out long size)
    {
        VariantMember number = Variant.Number;
        Range[] at = Variant.Members(bytes, Variant.LongNumber, number, number, number, number, Variant.Bytes, Variant.Bytes);
        ulong length = BinaryPrimitives.ReadUInt64BigEndian(bytes[at[0]]);
        size = length <= long.MaxValue ? (long)length : throw new FormatException("a size that no file has");
        return new OstreeHeader(
            NumberAt(bytes, at[1]), NumberAt(bytes, at[2]), NumberAt(bytes, at[3]), Variant.Text(bytes[at[5]]).ToArray(), bytes[at[6]].ToArray());
    }

    /// <summary>What the checksum begins with: the length, and <c>(uuuusa(ayay))</c>, whose fourth number is always 0.</summary>
    internal byte[] Encode()
    {
        Span<byte> numbers = stackalloc byte[16];
        BinaryPrimitives.WriteUInt32BigEndian(numbers, Uid);
        BinaryPrimitives.WriteUInt32BigEndian(numbers[4..], Gid);
        BinaryPrimitives.WriteUInt32BigEndian(numbers[8..], Mode);
        BinaryPrimitives.WriteUInt32BigEndian(numbers[12..], 0);
        byte[] header = Variant.Tuple(numbers, [.. Target, 0], Attributes);
        byte[] framed = new byte[Frame + header.Length];
        BinaryPrimitives.WriteInt32BigEndian(framed, header.Length);
        header.CopyTo(framed.AsSpan(Frame));
        return framed;
    }

    /// <summary>The attributes as a set.</summary>
    internal byte[] Xattrs()
    {
        var found = new List<(byte[] Name, byte[] Value)>();
        ReadOnlySpan<byte> all = Attributes;
        foreach (Range element in Variant.Elements(all, 1))
        {
            ReadOnlySpan<byte> pair = all[element];
            Range[] at = Variant.Members(pair, Variant.Bytes, Variant.Bytes);
            found.Add((Variant.Text(pair[at[0]]).ToArray(), pair[at[1]].ToArray()));
        }

        try
        {
            return XattrSet.Encode(found);
        }
        catch (ArgumentException e)
        {
            throw new FormatException(e.Message, e);
        }
    }

    /// <summary>The attributes of an inode as OSTree has them.</summary>
    internal static byte[] AttributesOf(ReadOnlySpan<byte> xattrs)
    {
        var pairs = new List<byte[]>();
        while (XattrSet.Next(ref xattrs, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
        {
            pairs.Add(Variant.Tuple([], [.. name, 0], value));
        }

        return Variant.Array(pairs);
    }

    private static uint NumberAt(ReadOnlySpan<byte> bytes, Range at) => BinaryPrimitives.ReadUInt32BigEndian(bytes[at]);
}
