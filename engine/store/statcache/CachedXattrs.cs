using System.Buffers.Binary;
using System.Runtime.InteropServices;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// What the stat cache keeps of a file's extended attributes: the first half of the digest of their canonical set. A change of an attribute
/// sets the file's change time (FORMAT.md says where not), so a file that is found in the cache still has these attributes.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = Size)]
public readonly record struct CachedXattrs
{
    internal const int Size = 16;

    private readonly ulong first;
    private readonly ulong second;

    private CachedXattrs(ulong first, ulong second)
    {
        this.first = first;
        this.second = second;
    }

    /// <summary>The file has no attributes.</summary>
    public static CachedXattrs None => default;

    /// <summary>The file has attributes, and it was not kept which: some of them were left out.</summary>
    public static CachedXattrs Unknown { get; } = new(ulong.MaxValue, ulong.MaxValue);

    /// <summary>The attributes of a canonical set.</summary>
    public static CachedXattrs Of(ReadOnlySpan<byte> canonical)
    {
        // The digest of the empty set is zero.
        Span<byte> digest = stackalloc byte[Digest.Size];
        XattrSet.DigestOf(canonical).CopyTo(digest);
        return new CachedXattrs(BinaryPrimitives.ReadUInt64LittleEndian(digest), BinaryPrimitives.ReadUInt64LittleEndian(digest[8..]));
    }
}
