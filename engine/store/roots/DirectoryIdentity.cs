using HackTree.Linux;

namespace HackTree.Store;

/// <summary>
/// Identifies the directory in a record. The inode number alone is not enough, because filesystems reuse the numbers of removed directories.
/// </summary>
/// <param name="Inode">The inode of the directory.</param>
/// <param name="Born">When the directory was made (statx's btime), in nanoseconds since 1970. Null if the filesystem does not tell.</param>
public readonly record struct DirectoryIdentity(ulong Inode, long? Born)
{
    /// <summary>The identity of the directory with this status.</summary>
    public static DirectoryIdentity Of(in FileStatus status) => new(status.Inode, status.BirthTime?.ToNanoseconds());

    /// <summary>Whether two records mean one directory. The birth time counts only if both have one.</summary>
    internal bool IsSame(DirectoryIdentity other) => Inode == other.Inode && (Born is null || other.Born is null || Born == other.Born);

    /// <summary>Whether the status is that of this directory. The birth time counts only if both have one.</summary>
    public bool IsOf(in FileStatus status) =>
        status.Type == FileType.Directory && IsInode(status);

    /// <summary>Whether the status is that of this inode, of whatever type: a part of a tree can be a file.</summary>
    public bool IsInode(in FileStatus status) =>
        Inode == status.Inode
        && (Born is not { } born || status.BirthTime is not { } time || born == time.ToNanoseconds());
}
