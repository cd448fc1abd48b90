using System.Buffers.Binary;
using System.IO.Hashing;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>The kinds of object in a pack. The numbers are those of the format.</summary>
public enum PackedKind : byte
{
    /// <summary>A tree's canonical bytes.</summary>
    Tree = 1,
    /// <summary>A commit's text.</summary>
    Commit = 2,
}

/// <summary>
/// The bytes of a pack (FORMAT.md, "Pack"), little-endian:
/// <code>
/// header    0 magic "HTPACK1\n"      8 reserved, zero
/// blocks   16 one after another; an LZ4 block, or the raw bytes where that is not shorter
/// table     for each block, 24 bytes
///           0 u64 offset             8 u32 stored length    12 u32 raw length    16 u64 XXH3 of the stored bytes
/// index     for each object, 48 bytes, sorted by digest
///           0 digest[32]            32 u32 block            36 u32 offset in it  40 u32 length
///          44 u8  kind              45 reserved, zero
/// footer    the last 64 bytes
///           0 magic "HTPKEND1"       8 u32 blocks           12 u32 objects       16 u64 offset of the table
///          24 u64 offset of the index                       32 u64 XXH3 of table and index
///          40 reserved, zero        56 u64 XXH3 of the footer's first 56 bytes
/// </code>
/// The file's name is the SHA-256 of all its bytes.
/// </summary>
internal static class PackLayout
{
    internal const int HeaderSize = 16;
    internal const int BlockRowSize = 24;
    internal const int IndexRowSize = 48;
    internal const int FooterSize = 64;

    /// <summary>Objects are gathered until a block has this many raw bytes. A longer object has a block of its own.</summary>
    internal const int BlockTarget = 64 * 1024;

    /// <summary>LZ4 cannot compress by more than this factor, so a block that claims more is refused.</summary>
    internal const int MaxRatio = 256;

    internal const int FooterChecked = 56;
    internal const int FooterReserved = 40;

    internal static ReadOnlySpan<byte> HeaderMagic => "HTPACK1\n"u8;

    internal static ReadOnlySpan<byte> FooterMagic => "HTPKEND1"u8;
}

/// <summary>The position of a block in a pack.</summary>
internal readonly record struct BlockRow(long Offset, int StoredLength, int RawLength, ulong Check)
{
    internal static BlockRow Read(ReadOnlySpan<byte> row) => new(
        BinaryPrimitives.ReadInt64LittleEndian(row),
        BinaryPrimitives.ReadInt32LittleEndian(row[8..]),
        BinaryPrimitives.ReadInt32LittleEndian(row[12..]),
        BinaryPrimitives.ReadUInt64LittleEndian(row[16..]));

    internal void Write(Span<byte> row)
    {
        BinaryPrimitives.WriteInt64LittleEndian(row, Offset);
        BinaryPrimitives.WriteInt32LittleEndian(row[8..], StoredLength);
        BinaryPrimitives.WriteInt32LittleEndian(row[12..], RawLength);
        BinaryPrimitives.WriteUInt64LittleEndian(row[16..], Check);
    }

    /// <summary>Whether the block lies between header and table, and its lengths are possible.</summary>
    internal bool IsPlausible(long tableOffset) =>
        Offset >= PackLayout.HeaderSize
        && StoredLength > 0
        && StoredLength <= tableOffset - Offset
        && RawLength >= StoredLength
        && RawLength <= (long)StoredLength * PackLayout.MaxRatio
        && RawLength <= Math.Max(Tree.MaxLength, PackLayout.BlockTarget);
}

/// <summary>The position of an object in a pack's blocks.</summary>
internal readonly record struct IndexRow(Digest Digest, int Block, int Offset, int Length, PackedKind Kind)
{
    internal static IndexRow Read(ReadOnlySpan<byte> row) => new(
        new Digest(row[..Digest.Size]),
        BinaryPrimitives.ReadInt32LittleEndian(row[32..]),
        BinaryPrimitives.ReadInt32LittleEndian(row[36..]),
        BinaryPrimitives.ReadInt32LittleEndian(row[40..]),
        (PackedKind)row[44]);

    internal void Write(Span<byte> row)
    {
        Digest.CopyTo(row);
        BinaryPrimitives.WriteInt32LittleEndian(row[32..], Block);
        BinaryPrimitives.WriteInt32LittleEndian(row[36..], Offset);
        BinaryPrimitives.WriteInt32LittleEndian(row[40..], Length);
        row[44] = (byte)Kind;
        row[45..PackLayout.IndexRowSize].Clear();
    }
}

/// <summary>The last 64 bytes of a pack.</summary>
internal readonly record struct PackFooter(int Blocks, int Objects, long TableOffset, long IndexOffset, ulong Check)
{
    internal long Length => IndexOffset + ((long)Objects * PackLayout.IndexRowSize) + PackLayout.FooterSize;

    internal void Write(Span<byte> bytes)
    {
        bytes[..PackLayout.FooterSize].Clear();
        PackLayout.FooterMagic.CopyTo(bytes);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[8..], Blocks);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[12..], Objects);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[16..], TableOffset);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[24..], IndexOffset);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[32..], Check);
        ulong check = XxHash3.HashToUInt64(bytes[..PackLayout.FooterChecked]);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[PackLayout.FooterChecked..], check);
    }

    /// <summary>False unless the footer is whole and every number in it fits a file of <paramref name="fileLength"/> bytes.</summary>
    internal static bool TryRead(ReadOnlySpan<byte> bytes, long fileLength, out PackFooter footer)
    {
        footer = new PackFooter(
            BinaryPrimitives.ReadInt32LittleEndian(bytes[8..]),
            BinaryPrimitives.ReadInt32LittleEndian(bytes[12..]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]),
            BinaryPrimitives.ReadInt64LittleEndian(bytes[24..]),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[32..]));
        return bytes.StartsWith(PackLayout.FooterMagic)
            && BinaryPrimitives.ReadUInt64LittleEndian(bytes[PackLayout.FooterChecked..]) == XxHash3.HashToUInt64(bytes[..PackLayout.FooterChecked])
            && bytes[PackLayout.FooterReserved..PackLayout.FooterChecked].IndexOfAnyExcept((byte)0) < 0
            && footer.Blocks >= 0
            && footer.Objects >= 0
            && footer.TableOffset >= PackLayout.HeaderSize
            && footer.TableOffset <= fileLength
            && footer.IndexOffset == footer.TableOffset + ((long)footer.Blocks * PackLayout.BlockRowSize)
            && footer.Length == fileLength;
    }
}

/// <summary>Checks the bytes of an object in a pack.</summary>
internal static class PackedObject
{
    /// <summary>The digest of an object's bytes, which is its name in packs.</summary>
    internal static Digest DigestOf(PackedKind kind, ReadOnlySpan<byte> bytes) =>
        kind == PackedKind.Tree ? Tree.DigestOf(bytes) : Commit.DigestOf(bytes);

    /// <summary>Says what is wrong with an object's bytes; null if they match the pack's index row.</summary>
    internal static string? FindFault(IndexRow row, ReadOnlyMemory<byte> bytes)
    {
        string? error;
        bool isValid = row.Kind == PackedKind.Tree
            ? Tree.TryDecode(bytes, out _, out error)
            : Commit.TryDecode(bytes.Span, out _, out error);
        string kind = row.Kind == PackedKind.Tree ? "tree" : "commit";
        return isValid && DigestOf(row.Kind, bytes.Span) != row.Digest ? $"what it holds as {kind} {row.Digest} is another {kind}"
            : isValid ? null
            : $"{kind} {row.Digest} is damaged ({error})";
    }
}
