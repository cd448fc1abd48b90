namespace HackTree.Model;

/// <summary>
/// One entry of a tree. The spans point into the tree's bytes (or into memory of the entry's maker), so walking a tree of a million files
/// allocates nothing. Copy what must outlive the tree.
/// </summary>
public readonly ref struct TreeEntry
{
    /// <summary>What it is.</summary>
    public EntryKind Kind { get; init; }

    /// <summary>Its name. <see cref="EntryName"/> has the rule.</summary>
    public ReadOnlySpan<byte> Name { get; init; }

    /// <summary>Mode, owner, group, time.</summary>
    public FileMetadata Metadata { get; init; }

    /// <summary>Extended attributes as canonical bytes (<see cref="XattrSet"/>); empty for none.</summary>
    public ReadOnlySpan<byte> Xattrs { get; init; }

    /// <summary>Regular file: bytes of content.</summary>
    public long Size { get; init; }

    /// <summary>Regular file: blob digest. Directory: tree digest. Otherwise none.</summary>
    public Digest Digest { get; init; }

    /// <summary>Symbolic link: its target, 1-4095 bytes.</summary>
    public ReadOnlySpan<byte> Target { get; init; }

    /// <summary>Device: major number.</summary>
    public uint DeviceMajor { get; init; }

    /// <summary>Device: minor number.</summary>
    public uint DeviceMinor { get; init; }

    /// <summary>Whether this is an entry at all; false for <c>default</c>.</summary>
    public bool Exists => Kind != EntryKind.None;

    /// <summary>Whether it is a directory.</summary>
    public bool IsDirectory => Kind == EntryKind.Directory;

    /// <summary>Whether two entries are the same in everything, name included.</summary>
    public bool SameAs(in TreeEntry other) =>
        Kind == other.Kind
        && Metadata == other.Metadata
        && Digest == other.Digest
        && Size == other.Size
        && DeviceMajor == other.DeviceMajor
        && DeviceMinor == other.DeviceMinor
        && Name.SequenceEqual(other.Name)
        && Target.SequenceEqual(other.Target)
        && Xattrs.SequenceEqual(other.Xattrs);
}
