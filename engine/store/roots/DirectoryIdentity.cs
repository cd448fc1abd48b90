using HackTree.Linux;

namespace HackTree.Store;

/// <summary>Which directory a record means. The inode alone does not tell: a filesystem gives the number of a removed directory again.</summary>
/// <param name="Inode">The inode of the directory.</param>
/// <param name="Born">When the directory was made (statx's btime), in nanoseconds since 1970. Null where the filesystem does not tell.</param>
public readonly record struct DirectoryIdentity(ulong Inode, long? Born)
{
    /// <summary>The identity of the directory of that status.</summary>
    public static DirectoryIdentity Of(in FileStatus status) => new(status.Inode, status.BirthTime?.ToNanoseconds());

    /// <summary>Whether the status is that of this directory. A time that only one of the two has does not count.</summary>
    public bool IsOf(in FileStatus status) =>
        status.Type == FileType.Directory
        && Inode == status.Inode
        && (Born is not { } born || status.BirthTime is not { } time || born == time.ToNanoseconds());
}
