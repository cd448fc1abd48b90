using System.Buffers.Binary;
using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>
/// The bytes of an EROFS image as composefs makes it, little-endian. Offsets are in brackets. Other bytes are zero.
/// <code>
/// image   [0] composefs header, [1024] superblock, [1152] inodes in slots of 32 bytes, shared attributes, then whole blocks
///
/// header      [0] u32 magic d078629a  [4] u32 1  [8] u32 flags (1: has ACLs)  [12] u32 composefs version
/// superblock  [0] u32 magic e0f5e1e2  [8] u32 features: mtime 2, attribute filter 4  [12] u8 log2 of the block size
///             [14] u16 nid of the root  [16] u64 inodes  [24] i64 build time  [36] u32 blocks
///             [44] u32 block in which the shared attributes begin
/// inode       [0] u16 layout &lt;&lt; 1 | 1 if extended  [2] u16 attribute count  [4] u16 mode
///   compact   [6] u16 links  [8] u32 size  [16] u32 block, device or chunk format  [20] u32 number  [24] u16 uid  [26] u16 gid
///   extended  [8] u64 size  [16] as compact  [20] u32 number  [24] u32 uid  [28] u32 gid  [32] i64 mtime  [44] u32 links
///             then the attributes, then the tail: the end of a directory's entries, a link's target, short content, or chunks
/// attributes  [0] u32 name filter  [4] u8 shared  [12] u32 for each shared one: its offset / 4, from its first block; then the others
/// attribute   [0] u8 length of the name  [1] u8 prefix  [2] u16 length of the value, then name and value, up to a multiple of 4
/// entries     of one block: [0] u64 nid  [8] u16 offset of the name  [10] u8 type, for each; then the names
/// </code>
/// A nid is an inode's offset / 32. The kernel's Documentation/filesystems/erofs.rst has the rest.
/// </summary>
internal static class ErofsLayout
{
    internal const int BlockSize = 4096;
    internal const int SlotSize = 32;
    internal const int HeaderSize = 32;
    internal const int SuperblockStart = 1024;
    internal const int InodesStart = SuperblockStart + SuperblockSize;
    internal const int SuperblockSize = 128;
    internal const int CompactSize = 32;
    internal const int ExtendedSize = 64;
    internal const int EntrySize = 12;
    internal const int AttributesHeader = 12;
    internal const int AttributeHeader = 4;

    /// <summary>The number of shared attributes that an inode may have in composefs.</summary>
    internal const int MaxShared = 128;

    internal const int FlatPlain = 0;
    internal const int FlatInline = 2;
    internal const int Chunks = 4;

    /// <summary>The pointer of a chunk that has no data here.</summary>
    internal const uint NoChunk = uint.MaxValue;

    private const int BlockBits = 12;
    private const int MaxChunkBits = 31;
    private const uint FilterSeed = 0x25BBE08F;

    // The prefixes of attribute names in order of preference. An ACL's name is a prefix too, with nothing behind it.
    private static readonly (byte[] Prefix, byte Index)[] Prefixes =
    [
        ("user."u8.ToArray(), 1),
        ("system.posix_acl_access"u8.ToArray(), 2),
        ("system.posix_acl_default"u8.ToArray(), 3),
        ("trusted."u8.ToArray(), 4),
        ("security."u8.ToArray(), 6),
    ];

    /// <summary>The next multiple of <paramref name="unit"/>, a power of two.</summary>
    internal static long RoundUp(long value, int unit) => (value + unit - 1) & -unit;

    /// <summary>The prefix of an attribute's name as a number, and the length of the prefix.</summary>
    internal static byte PrefixOf(ReadOnlySpan<byte> name, out int length)
    {
        foreach ((byte[] prefix, byte index) in Prefixes)
        {
            if (name.StartsWith(prefix))
            {
                length = prefix.Length;
                return index;
            }
        }

        length = 0;
        return 0;
    }

    /// <summary>The bytes of an attribute, with the zeros behind it.</summary>
    internal static int AttributeSize(ReadOnlySpan<byte> name, int valueLength)
    {
        _ = PrefixOf(name, out int prefix);
        return (int)RoundUp(AttributeHeader + name.Length - prefix + valueLength, sizeof(uint));
    }

    /// <summary>Writes an attribute to <see cref="AttributeSize"/> zeros.</summary>
    internal static void WriteAttribute(Span<byte> target, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        target[1] = PrefixOf(name, out int prefix);
        target[0] = (byte)(name.Length - prefix);
        BinaryPrimitives.WriteUInt16LittleEndian(target[2..], (ushort)value.Length);
        name[prefix..].CopyTo(target[AttributeHeader..]);
        value.CopyTo(target[(AttributeHeader + name.Length - prefix)..]);
    }

    /// <summary>The bit that a name has in an inode's filter: a kernel that looks for the name stops where the bit is set.</summary>
    internal static uint FilterBit(ReadOnlySpan<byte> name)
    {
        byte index = PrefixOf(name, out int prefix);
        return 1u << (int)(System.IO.Hashing.XxHash32.HashToUInt32(name[prefix..], unchecked((int)(FilterSeed + index))) & 31);
    }

    /// <summary>The log2 of the chunks' size, less that of a block, of a file whose content is elsewhere; and the number of chunks.</summary>
    internal static int ChunkFormat(long size, out long chunks)
    {
        int bits = Math.Clamp(size == 1 ? 1 : System.Numerics.BitOperations.Log2((ulong)size - 1) + 1, BlockBits, BlockBits + MaxChunkBits);
        chunks = ((size - 1) >> bits) + 1;
        return bits - BlockBits;
    }

    /// <summary>The type of an entry in a directory.</summary>
    internal static byte TypeOf(EntryKind kind) => kind switch
    {
        EntryKind.Regular => 1,
        EntryKind.Directory => 2,
        EntryKind.CharacterDevice => 3,
        EntryKind.BlockDevice => 4,
        EntryKind.Fifo => 5,
        EntryKind.Symlink => 7,
        _ => 0,
    };

    /// <summary>The type bits of a mode (inode(7)).</summary>
    internal static ushort ModeBits(EntryKind kind) => kind switch
    {
        EntryKind.Regular => 0x8000,
        EntryKind.Directory => 0x4000,
        EntryKind.CharacterDevice => 0x2000,
        EntryKind.BlockDevice => 0x6000,
        EntryKind.Fifo => 0x1000,
        _ => 0xA000,
    };

    /// <summary>A device's numbers as the kernel decodes them (new_decode_dev).</summary>
    internal static uint DeviceOf(uint major, uint minor) => (minor & 0xFF) | ((major & 0xFFF) << 8) | ((minor & ~0xFFu) << 12);
}
