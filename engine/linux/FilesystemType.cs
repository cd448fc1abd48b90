namespace HackTree.Linux;

/// <summary>What statfs(2) tells about a filesystem.</summary>
/// <param name="Type">Its type.</param>
/// <param name="Identifier">
/// Its identifier (f_fsid). ext4 makes it of the UUID, btrfs of the UUID and the subvolume, tmpfs of random bits (0 before Linux 5.13). XFS has
/// the device number.
/// </param>
/// <param name="IsReadOnly">Whether it is mounted read-only, or is read-only itself.</param>
public readonly record struct FilesystemStatus(FilesystemType Type, ulong Identifier, bool IsReadOnly);

/// <summary>What is free on a filesystem.</summary>
/// <param name="Bytes">The bytes that files can still get.</param>
/// <param name="Inodes">The number of inodes that can still be made; null where nothing limits it, as on btrfs.</param>
public readonly record struct FreeSpace(long Bytes, long? Inodes);

/// <summary>
/// Filesystems that need special treatment. The values are the magic numbers of linux/magic.h, as statfs(2) returns them.
/// </summary>
public enum FilesystemType : long
{
    /// <summary>A filesystem that is not listed here.</summary>
    Unknown = 0,
    /// <summary>ext4. ext2 and ext3 have the same number.</summary>
    Ext4 = 0xEF53,
    /// <summary>XFS.</summary>
    Xfs = 0x58465342,
    /// <summary>btrfs.</summary>
    Btrfs = 0x9123683E,
    /// <summary>A filesystem in memory.</summary>
    Tmpfs = 0x01021994,
}
