using System.IO.Hashing;
using System.Runtime.InteropServices;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// The filesystem of a directory, as the stat cache knows it. Its <see cref="Number"/> stands for it in the keys of records. Files of a
/// filesystem without a number are neither remembered nor known.
/// </summary>
/// <remarks>
/// <para>
/// A device number says little: the next filesystem that is mounted at a loop device has it too, and images that are made alike have equal
/// inode numbers and times. A UUID says little more: a copy of a filesystem has it too, and a write to an image sets no times.
/// </para>
/// <list type="bullet">
/// <item>The filesystem that the store itself is on has one number for good. The cache is on it too, so whatever puts the filesystem back to an
/// earlier state does so to the cache. <see cref="StatCacheHome"/> finds a cache that was copied from elsewhere.</item>
/// <item>Another filesystem has a number for as long as it is mounted (<see cref="MountSession"/>), if it can be written to. Nothing stamps the
/// times of files on a filesystem that nobody can write to.</item>
/// <item>Filesystems of other types than ext4, XFS, btrfs and tmpfs have none. Some have no lasting inode numbers (overlay, FUSE, NFS, 9p), and
/// others get all their times from a program (squashfs, erofs).</item>
/// </list>
/// </remarks>
/// <param name="Device">The device number that statx(2) gives for its files.</param>
/// <param name="Number">Its number; 0 if it has none.</param>
public readonly record struct CachedFilesystem(ulong Device, ulong Number)
{
    /// <summary>The number of the filesystem that the store is on.</summary>
    internal const ulong Own = 1;

    /// <summary>Whether the stat cache may know a file that has this status.</summary>
    internal bool Covers(in FileStatus status) => Number != 0 && status.Device == Device;

    /// <summary>
    /// Whether filesystems of a type have lasting inode numbers: one number means one file, whose change time the kernel sets.
    /// </summary>
    public static bool HasLastingInodes(FilesystemType type) =>
        type is FilesystemType.Ext4 or FilesystemType.Xfs or FilesystemType.Btrfs or FilesystemType.Tmpfs;

    /// <summary>The filesystem of an open directory.</summary>
    /// <param name="directory">The directory.</param>
    /// <param name="status">Its status.</param>
    /// <param name="cache">The open directory of the cache.</param>
    internal static CachedFilesystem Of(SafeFileHandle directory, in FileStatus status, SafeFileHandle cache)
    {
        var unknown = new CachedFilesystem(status.Device, 0);
        if (Sys.FilesystemOf(directory, out FilesystemStatus filesystem) != Errno.None || !HasLastingInodes(filesystem.Type))
        {
            return unknown;
        }

        if (Sys.Stat(cache, out FileStatus own) == Errno.None && own.Device == status.Device)
        {
            return unknown with { Number = Own };
        }

        MountSession session = filesystem.IsReadOnly ? default : MountSession.Of(directory, status, filesystem);
        if (!session.IsKnown)
        {
            return unknown;
        }

        // The identifier tells the subvolumes of btrfs apart, which have device numbers only while they are in use.
        ReadOnlySpan<ulong> identity = [session.Boot, session.Mount, (ulong)filesystem.Type, filesystem.Identifier, status.Device];
        ulong number = XxHash3.HashToUInt64(MemoryMarshal.AsBytes(identity));
        return unknown with { Number = Math.Max(number, Own + 1) };
    }
}
