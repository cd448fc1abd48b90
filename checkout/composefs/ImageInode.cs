using System.Buffers.Binary;
using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>The measures of one inode of an image, in composefs's ways.</summary>
internal struct ImageInode
{
    // What erofs counts attributes in: i_xattr_icount.
    private const int MaxAttributesSize = (ushort.MaxValue - 1) * sizeof(uint);

    private const long MaxChunks = 1024;

    private EntryKind kind;
    private bool isExtended;
    private int layout;
    private int chunkFormat;
    private long size;
    private long links;

    /// <summary>The bytes of the attributes, with their header.</summary>
    internal int AttributesSize { get; private set; }

    internal int SharedCount { get; private set; }

    /// <summary>The bytes behind the attributes.</summary>
    internal int Tail { get; private set; }

    /// <summary>The blocks behind all inodes.</summary>
    internal int Blocks { get; private set; }

    /// <summary>Whether the content is elsewhere, and the inode has chunks without data.</summary>
    internal readonly bool HasChunks => layout == ErofsLayout.Chunks;

    internal readonly int HeadSize => isExtended ? ErofsLayout.ExtendedSize : ErofsLayout.CompactSize;

    internal readonly int TotalSize => HeadSize + AttributesSize + Tail;

    /// <summary>The kind that the image gives an entry: a device 0:0 of the tree is a file there.</summary>
    internal static EntryKind KindOf(in TreeEntry entry, bool isAdded) =>
        !isAdded && InodeAttributes.IsWhiteout(entry) ? EntryKind.Regular : entry.Kind;

    /// <summary>Measures an inode that has not been given its place. Answers what makes it impossible; null if nothing does.</summary>
    internal string? Measure(in TreeEntry entry, bool isAdded, in ImageDirectory directory, bool isInline, long buildTime)
    {
        this = default;
        kind = KindOf(entry, isAdded);
        links = kind == EntryKind.Directory ? 2L + directory.Subdirectories : 1;
        switch (kind)
        {
            case EntryKind.Directory:
                (Blocks, Tail) = (directory.Blocks, directory.Tail);
                size = DirectorySize;
                break;
            case EntryKind.Symlink:
                size = Tail = entry.Target.Length;
                break;
            case EntryKind.Regular when isInline:
                size = entry.Size;
                Blocks = (int)(size / ErofsLayout.BlockSize);
                Tail = (int)(size % ErofsLayout.BlockSize);
                if (Tail > ErofsLayout.BlockSize / 2)
                {
                    (Blocks, Tail) = (Blocks + 1, 0);
                }

                break;
            case EntryKind.Regular when entry.Size > 0:
                size = entry.Size;
                layout = ErofsLayout.Chunks;
                chunkFormat = ErofsLayout.ChunkFormat(size, out long chunks);
                Tail = (int)Math.Min(chunks, MaxChunks) * sizeof(uint);
                if (chunks > MaxChunks)
                {
                    return "it is larger than 8 PiB, the most that an image can say of a file";
                }

                break;
        }

        isExtended = entry.Metadata.ModifyTime != buildTime || size > uint.MaxValue
            || Math.Max(links, Math.Max(entry.Metadata.Uid, entry.Metadata.Gid)) > ushort.MaxValue;
        return null;
    }

    /// <summary>Measures the attributes. Answers what makes them impossible; null if nothing does.</summary>
    internal string? MeasureAttributes(InodeAttributes attributes, SharedAttributes shared)
    {
        long bytes = 0;
        for (int i = 0; i < attributes.Count; i++)
        {
            if (attributes.Value(i).Length > ushort.MaxValue)
            {
                return $"its attribute {ByteText.Quote(attributes.Name(i))} has {attributes.Value(i).Length} bytes, and an image can hold {ushort.MaxValue}";
            }

            if (SharedCount < ErofsLayout.MaxShared && shared.TryFind(attributes, i, out _))
            {
                SharedCount++;
                bytes += sizeof(uint);
            }
            else
            {
                bytes += ErofsLayout.AttributeSize(attributes.Name(i), attributes.Value(i).Length);
            }
        }

        AttributesSize = (int)Math.Min(bytes == 0 ? 0 : bytes + ErofsLayout.AttributesHeader, int.MaxValue);
        return AttributesSize <= MaxAttributesSize ? null : "its extended attributes take more bytes than an image can hold for one file";
    }

    /// <summary>
    /// Gives the inode its place at or behind <paramref name="position"/>, and answers it. The tail must lie in one block. A link's target
    /// lies in the block of its inode.
    /// </summary>
    internal long Place(long position)
    {
        long start = ErofsLayout.RoundUp(position, ErofsLayout.SlotSize);
        const int block = ErofsLayout.BlockSize;
        if (kind == EntryKind.Symlink)
        {
            bool isWhole = start / block == (start + TotalSize - 1) / block;
            if (TotalSize >= block)
            {
                MoveTail();
            }

            return isWhole ? start : ErofsLayout.RoundUp(start, block);
        }

        long left = block - ((start + HeadSize + AttributesSize) % block);
        if (left >= Tail)
        {
            return start;
        }

        long padded = start + ErofsLayout.RoundUp(left, ErofsLayout.SlotSize);
        if (Tail <= block - ((padded + HeadSize + AttributesSize) % block))
        {
            return padded;
        }

        MoveTail();
        return ErofsLayout.RoundUp(start, block);
    }

    /// <summary>Writes the fixed part of an inode to <see cref="HeadSize"/> zeros.</summary>
    internal readonly void WriteHead(Span<byte> target, in TreeEntry entry, int number, long block)
    {
        int form = HasChunks ? ErofsLayout.Chunks : Tail > 0 ? ErofsLayout.FlatInline : ErofsLayout.FlatPlain;
        int count = AttributesSize == 0 ? 0 : ((AttributesSize - ErofsLayout.AttributesHeader) / sizeof(uint)) + 1;
        long bytes = kind == EntryKind.Directory ? DirectorySize : size;
        Little16(target, (form << 1) | (isExtended ? 1 : 0));
        Little16(target[2..], count);
        Little16(target[4..], ErofsLayout.ModeBits(kind) | entry.Metadata.Mode);
        Little32(target[16..], Blocks > 0 ? (uint)block : 0);
        if (kind is EntryKind.CharacterDevice or EntryKind.BlockDevice)
        {
            Little32(target[16..], ErofsLayout.DeviceOf(entry.DeviceMajor, entry.DeviceMinor));
        }
        else if (HasChunks)
        {
            Little16(target[16..], chunkFormat);
        }

        Little32(target[20..], (uint)number);
        if (isExtended)
        {
            BinaryPrimitives.WriteInt64LittleEndian(target[8..], bytes);
            Little32(target[24..], entry.Metadata.Uid);
            Little32(target[28..], entry.Metadata.Gid);
            BinaryPrimitives.WriteInt64LittleEndian(target[32..], entry.Metadata.ModifyTime);
            Little32(target[44..], (uint)links);
        }
        else
        {
            Little16(target[6..], (int)links);
            Little32(target[8..], (uint)bytes);
            Little16(target[24..], (int)entry.Metadata.Uid);
            Little16(target[26..], (int)entry.Metadata.Gid);
        }
    }

    private readonly long DirectorySize => ((long)Blocks * ErofsLayout.BlockSize) + Tail;

    private void MoveTail() => (Blocks, Tail) = (Blocks + 1, 0);

    private static void Little16(Span<byte> target, int value) => BinaryPrimitives.WriteUInt16LittleEndian(target, (ushort)value);

    private static void Little32(Span<byte> target, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(target, value);
}
