using System.IO.Hashing;
using System.Text;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// The time from one mounting of a filesystem to its unmounting. While it lasts, only the kernel changes the filesystem. Between two sessions
/// any program can, and another filesystem can take the device.
/// </summary>
/// <param name="Boot">A number for the run of the kernel; 0 if it is not known.</param>
/// <param name="Mount">
/// A number that no other session of this run of the kernel has; 0 if it is not known. It is the inode of the directory that the kernel makes
/// for the filesystem below /sys/fs, or the random identifier that each tmpfs gets. A bind mount and another mount namespace show the same one.
/// </param>
internal readonly record struct MountSession(ulong Boot, ulong Mount)
{
    /// <summary>Whether the session can be told from every other one.</summary>
    internal bool IsKnown => Boot != 0 && Mount != 0;

    /// <summary>The session of the filesystem that an open directory is on.</summary>
    internal static MountSession Of(SafeFileHandle directory, in FileStatus status, in FilesystemStatus filesystem) => new(ThisBoot(), filesystem.Type switch
    {
        FilesystemType.Ext4 => InodeOf("ext4", DiskName.Of(status)),
        FilesystemType.Xfs => InodeOf("xfs", DiskName.Of(status)),
        FilesystemType.Btrfs => InodeOf("btrfs", Sys.BtrfsUuid(directory, out Guid uuid) == Errno.None ? uuid.ToString() : null),
        FilesystemType.Tmpfs => filesystem.Identifier,
        _ => 0,
    });

    private static ulong InodeOf(string driver, string? name)
    {
        byte[] path = Encoding.UTF8.GetBytes($"/sys/fs/{driver}/{name}");
        return name is not null && Sys.Stat(Sys.WorkingDirectory, path, out FileStatus status) == Errno.None ? status.Inode : 0;
    }

    private static ulong ThisBoot()
    {
        try
        {
            return XxHash3.HashToUInt64(File.ReadAllBytes("/proc/sys/kernel/random/boot_id"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }
}
