using System.Buffers.Binary;

namespace HackTree.Model;

/// <summary>
/// The bytes of a tree (FORMAT.md, "Tree"), little-endian:
/// <code>
/// tree    0 u32 number of entries
///         4 entries, sorted by name
///
/// entry   0 u8  kind                 24 regular    u64 size, digest[32]
///         1 u8  length of the name      directory  digest[32]
///         2 u16 mode                    symlink    u32 length of the target
///         4 u32 uid                     device     u32 major, u32 minor
///         8 u32 gid                     fifo       nothing
///        12 u32 length of the xattrs    then name, xattrs, target
///        16 i64 modify time
/// </code>
/// </summary>
internal static class TreeLayout
{
    internal const int CountSize = 4;
    internal const int FixedSize = 24;
    internal const int MaxTargetLength = 4095;

    private const int KindOffset = 0;
    private const int NameLengthOffset = 1;
    private const int ModeOffset = 2;
    private const int UidOffset = 4;
    private const int GidOffset = 8;
    private const int XattrLengthOffset = 12;
    private const int TimeOffset = 16;
    private const int SmallestEntry = FixedSize + 1;

    internal static ReadOnlySpan<byte> Domain => "hacktree tree 1\n"u8;

    /// <summary>The number of bytes between the fixed part and the name; -1 for an unknown kind.</summary>
    internal static int PayloadSize(EntryKind kind) => kind switch
    {
        EntryKind.Regular => sizeof(ulong) + Digest.Size,
        EntryKind.Directory => Digest.Size,
        EntryKind.Symlink => sizeof(uint),
        EntryKind.CharacterDevice or EntryKind.BlockDevice => 2 * sizeof(uint),
        EntryKind.Fifo => 0,
        _ => -1,
    };

    /// <summary>Writes an entry; <paramref name="target"/> must hold <see cref="Length"/> bytes.</summary>
    internal static void Write(in TreeEntry entry, Span<byte> target)
    {
        target[KindOffset] = (byte)entry.Kind;
        target[NameLengthOffset] = (byte)entry.Name.Length;
        BinaryPrimitives.WriteUInt16LittleEndian(target[ModeOffset..], entry.Metadata.Mode);
        BinaryPrimitives.WriteUInt32LittleEndian(target[UidOffset..], entry.Metadata.Uid);
        BinaryPrimitives.WriteUInt32LittleEndian(target[GidOffset..], entry.Metadata.Gid);
        BinaryPrimitives.WriteInt32LittleEndian(target[XattrLengthOffset..], entry.Xattrs.Length);
        BinaryPrimitives.WriteInt64LittleEndian(target[TimeOffset..], entry.Metadata.ModifyTime);
        Span<byte> payload = target[FixedSize..];
        switch (entry.Kind)
        {
            case EntryKind.Regular:
                BinaryPrimitives.WriteInt64LittleEndian(payload, entry.Size);
                entry.Digest.CopyTo(payload[sizeof(ulong)..]);
                break;
            case EntryKind.Directory:
                entry.Digest.CopyTo(payload);
                break;
            case EntryKind.Symlink:
                BinaryPrimitives.WriteInt32LittleEndian(payload, entry.Target.Length);
                break;
            case EntryKind.CharacterDevice or EntryKind.BlockDevice:
                BinaryPrimitives.WriteUInt32LittleEndian(payload, entry.DeviceMajor);
                BinaryPrimitives.WriteUInt32LittleEndian(payload[sizeof(uint)..], entry.DeviceMinor);
                break;
        }

        Span<byte> tail = payload[PayloadSize(entry.Kind)..];
        entry.Name.CopyTo(tail);
        entry.Xattrs.CopyTo(tail[entry.Name.Length..]);
        entry.Target.CopyTo(tail[(entry.Name.Length + entry.Xattrs.Length)..]);
    }

    /// <summary>The number of bytes an entry takes.</summary>
    internal static int Length(in TreeEntry entry) =>
        FixedSize + PayloadSize(entry.Kind) + entry.Name.Length + entry.Xattrs.Length + entry.Target.Length;

    /// <summary>Reads the first entry of checked bytes and answers its length.</summary>
    internal static int Read(ReadOnlySpan<byte> bytes, out TreeEntry entry)
    {
        var kind = (EntryKind)bytes[KindOffset];
        int nameLength = bytes[NameLengthOffset];
        int xattrLength = BinaryPrimitives.ReadInt32LittleEndian(bytes[XattrLengthOffset..]);
        ReadOnlySpan<byte> payload = bytes[FixedSize..];
        int nameStart = FixedSize + PayloadSize(kind);
        int targetLength = kind == EntryKind.Symlink ? BinaryPrimitives.ReadInt32LittleEndian(payload) : 0;
        bool isDevice = kind is EntryKind.CharacterDevice or EntryKind.BlockDevice;
        entry = new TreeEntry
        {
            Kind = kind,
            Metadata = MetadataOf(bytes),
            Size = SizeOf(bytes),
            Digest = kind switch
            {
                EntryKind.Regular => new Digest(payload.Slice(sizeof(ulong), Digest.Size)),
                EntryKind.Directory => new Digest(payload[..Digest.Size]),
                _ => default,
            },
            DeviceMajor = isDevice ? BinaryPrimitives.ReadUInt32LittleEndian(payload) : 0,
            DeviceMinor = isDevice ? BinaryPrimitives.ReadUInt32LittleEndian(payload[sizeof(uint)..]) : 0,
            Name = bytes.Slice(nameStart, nameLength),
            Xattrs = bytes.Slice(nameStart + nameLength, xattrLength),
            Target = bytes.Slice(nameStart + nameLength + xattrLength, targetLength),
        };
        return nameStart + nameLength + xattrLength + targetLength;
    }

    /// <summary>The kind of the first entry of checked bytes.</summary>
    internal static EntryKind KindOf(ReadOnlySpan<byte> bytes) => (EntryKind)bytes[KindOffset];

    /// <summary>The number of bytes that the first entry of checked bytes takes.</summary>
    internal static int LengthOf(ReadOnlySpan<byte> bytes)
    {
        EntryKind kind = KindOf(bytes);
        int targetLength = kind == EntryKind.Symlink ? BinaryPrimitives.ReadInt32LittleEndian(bytes[FixedSize..]) : 0;
        return FixedSize + PayloadSize(kind) + bytes[NameLengthOffset] + targetLength
            + BinaryPrimitives.ReadInt32LittleEndian(bytes[XattrLengthOffset..]);
    }

    /// <summary>The name of the first entry of checked bytes, without reading the rest of it.</summary>
    internal static ReadOnlySpan<byte> NameOf(ReadOnlySpan<byte> bytes) =>
        bytes.Slice(FixedSize + PayloadSize((EntryKind)bytes[KindOffset]), bytes[NameLengthOffset]);

    /// <summary>Says what is wrong with a tree's bytes; null where they are canonical.</summary>
    internal static string? FindFault(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length is < CountSize or > Tree.MaxLength)
        {
            return $"a tree of {bytes.Length} bytes";
        }

        uint count = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        ReadOnlySpan<byte> rest = bytes[CountSize..];
        if (count > rest.Length / SmallestEntry)
        {
            return $"a tree of {bytes.Length} bytes claims {count} entries";
        }

        ReadOnlySpan<byte> previous = default;
        for (uint i = 0; i < count; i++)
        {
            if (EntryFault(rest, out int length) is { } fault)
            {
                return $"entry {i}: {fault}";
            }

            ReadOnlySpan<byte> name = NameOf(rest);
            if (i > 0 && previous.SequenceCompareTo(name) >= 0)
            {
                return $"entry {i}: not sorted by name";
            }

            previous = name;
            rest = rest[length..];
        }

        return rest.IsEmpty ? null : $"{rest.Length} bytes after the last entry";
    }

    /// <summary>Says what is wrong with an entry's values; null where a tree may hold it.</summary>
    internal static string? Fault(in TreeEntry entry) => Fault(entry.Kind, entry.Metadata, entry.Size, entry.Name, entry.Xattrs, entry.Target);

    /// <summary>
    /// Says what is wrong with the entry at the start of <paramref name="bytes"/>, or else how long the entry is. Decodes only what it
    /// checks.
    /// </summary>
    private static string? EntryFault(ReadOnlySpan<byte> bytes, out int length)
    {
        length = 0;
        if (bytes.Length < FixedSize)
        {
            return "cut short";
        }

        EntryKind kind = KindOf(bytes);
        int payloadSize = PayloadSize(kind);
        if (payloadSize < 0)
        {
            return $"unknown kind {bytes[KindOffset]}";
        }

        if (bytes.Length < FixedSize + payloadSize)
        {
            return "cut short";
        }

        long nameLength = bytes[NameLengthOffset];
        long xattrLength = BinaryPrimitives.ReadUInt32LittleEndian(bytes[XattrLengthOffset..]);
        long targetLength = kind == EntryKind.Symlink ? BinaryPrimitives.ReadUInt32LittleEndian(bytes[FixedSize..]) : 0;
        ReadOnlySpan<byte> rest = bytes[(FixedSize + payloadSize)..];
        if (rest.Length < nameLength + xattrLength + targetLength)
        {
            return "cut short";
        }

        ReadOnlySpan<byte> name = rest[..(int)nameLength], xattrs = rest.Slice(name.Length, (int)xattrLength);
        ReadOnlySpan<byte> target = rest.Slice(name.Length + xattrs.Length, (int)targetLength);
        length = FixedSize + payloadSize + name.Length + xattrs.Length + target.Length;
        return Fault(kind, MetadataOf(bytes), SizeOf(bytes), name, xattrs, target);
    }

    private static string? Fault(
        EntryKind kind, FileMetadata metadata, long size, ReadOnlySpan<byte> name, ReadOnlySpan<byte> xattrs, ReadOnlySpan<byte> target)
    {
        bool isSymlink = kind == EntryKind.Symlink;
        return kind switch
        {
            _ when PayloadSize(kind) < 0 => $"unknown kind {kind}",
            _ when !EntryName.IsValid(name) => $"not a valid name: {ByteText.Quote(name)}",
            _ when metadata.Mode > FileMetadata.ModeMask => "mode of more than 12 bits",
            _ when metadata.Uid == FileMetadata.NoOwner || metadata.Gid == FileMetadata.NoOwner => "an owner that nobody can be",
            _ when isSymlink && metadata.Mode != FileMetadata.SymlinkMode => "a symbolic link of another mode than 0777",
            _ when isSymlink != !target.IsEmpty => "a target where there is no symbolic link, or none where there is",
            _ when target.Length > MaxTargetLength || target.IndexOf((byte)0) >= 0 => "not a target of a symbolic link",
            _ when size < 0 => "a negative size",
            _ when !XattrSet.IsCanonical(xattrs) => "extended attributes that are not canonical",
            _ => null,
        };
    }

    private static FileMetadata MetadataOf(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadUInt16LittleEndian(bytes[ModeOffset..]),
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[UidOffset..]),
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[GidOffset..]),
        BinaryPrimitives.ReadInt64LittleEndian(bytes[TimeOffset..]));

    private static long SizeOf(ReadOnlySpan<byte> bytes) =>
        KindOf(bytes) == EntryKind.Regular ? BinaryPrimitives.ReadInt64LittleEndian(bytes[FixedSize..]) : 0;
}
