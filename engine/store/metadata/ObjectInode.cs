using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Sets the metadata of an inode: a new object, a copy, or a directory of a root. Compares the metadata of an object's inode.</summary>
public static class ObjectInode
{
    private const long EarliestTime = int.MinValue;

    // The latest times that filesystems can keep. They replace a later time: ext4 with small inodes, ext4 with large inodes, XFS with
    // bigtime.
    private static readonly long[] LatestTimes = [int.MaxValue, 0x37FFFFFFF, 16299260424];

    /// <summary>The file type for a kind of entry.</summary>
    public static FileType TypeOf(EntryKind kind) => kind switch
    {
        EntryKind.Regular => FileType.Regular,
        EntryKind.Directory => FileType.Directory,
        EntryKind.Symlink => FileType.Symlink,
        EntryKind.CharacterDevice => FileType.CharacterDevice,
        EntryKind.BlockDevice => FileType.BlockDevice,
        EntryKind.Fifo => FileType.Fifo,
        _ => FileType.Unknown,
    };

    /// <summary>
    /// Sets owner, attributes, mode and time, in this order: a change of owner clears set-id bits and capabilities, and an ACL changes the mode.
    /// </summary>
    /// <param name="format">The store's policies. In a user's store the owner is not changed.</param>
    /// <param name="file">The open file.</param>
    /// <param name="metadata">For an object, the result of <see cref="StoreFormat.ObjectMetadata"/>.</param>
    /// <param name="xattrs">The result of <see cref="StoreFormat.ObjectXattrs"/>.</param>
    /// <param name="subject">The file's name in messages.</param>
    public static void SetMetadata(StoreFormat format, SafeFileHandle file, FileMetadata metadata, ReadOnlySpan<byte> xattrs, object subject)
    {
        if (TrySetMetadata(format, file, metadata, xattrs, subject) is { } unheld)
        {
            throw new UnheldException(subject.ToString() ?? "", unheld, isCommit: false);
        }
    }

    /// <summary>
    /// Sets metadata as <see cref="SetMetadata"/> does. If the filesystem or the kernel refuses a part of it, stops and returns that part.
    /// </summary>
    internal static Unheld? TrySetMetadata(StoreFormat format, SafeFileHandle file, FileMetadata metadata, ReadOnlySpan<byte> xattrs, object subject)
    {
        // A new file mostly has the right owner and mode already, and a statx(2) is cheaper than the journal entry of a change.
        Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", subject);
        bool isGiven = !format.UserMode && (status.Uid != metadata.Uid || status.Gid != metadata.Gid);
        if (isGiven)
        {
            Errno errno = Sys.SetOwner(file, metadata.Uid, metadata.Gid);
            if (errno is Errno.EINVAL or Errno.EPERM)
            {
                return new Unheld.Owner(metadata.Uid, metadata.Gid, errno);
            }

            errno.ThrowIfFailed("fchownat", subject);
        }

        if (Xattrs.TrySet(file, default, xattrs, subject) is { } unheld)
        {
            return unheld;
        }

        if (isGiven || !xattrs.IsEmpty || status.Mode != metadata.Mode)
        {
            Sys.SetMode(file, metadata.Mode).ThrowIfFailed("fchmod", subject);
        }

        Sys.SetTime(file, metadata.ModifyTime).ThrowIfFailed("futimens", subject);
        return null;
    }

    /// <summary>
    /// The part of the metadata that was set without an error and is nevertheless not there: the kernel clamps times and drops set-id bits
    /// in silence, and a filesystem may change attributes. Null if all is there. Only what may be lost is looked at.
    /// </summary>
    internal static Unheld? FindLoss(StoreFormat format, SafeFileHandle file, FileMetadata metadata, ReadOnlySpan<byte> xattrs, object subject)
    {
        bool hasUsualTime = metadata.ModifyTime is >= 0 and <= int.MaxValue;
        if (hasUsualTime && xattrs.IsEmpty && (metadata.Mode & FileModes.SetIds) == 0)
        {
            return null;
        }

        Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", subject);
        if (status.ModifyTime.Seconds != metadata.ModifyTime)
        {
            return new Unheld.Time(metadata.ModifyTime, status.ModifyTime.Seconds);
        }

        if (status.Mode != metadata.Mode)
        {
            return new Unheld.SetId(metadata.Gid);
        }

        if (xattrs.IsEmpty)
        {
            return null;
        }

        byte[] actual = Xattrs.OfThread.Read(file, subject);
        return format.HoldsXattrs(actual, xattrs) ? null : Unheld.OfChangedXattr(actual, xattrs);
    }

    /// <summary>The ways in which an inode's mode, owner and time differ from those in an object's name.</summary>
    internal static ObjectFaults Compare(StoreFormat format, FileMetadata named, in FileStatus status)
    {
        // In a user store, inodes belong to the user, not to the owner in the name. So the owner is not compared.
        bool hasOwner = format.UserMode || (status.Uid == named.Uid && status.Gid == named.Gid);
        bool hasTime = status.ModifyTime == new FileTime(named.ModifyTime, 0) || IsClamped(named.ModifyTime, status.ModifyTime.Seconds);
        return (status.Mode == named.Mode ? ObjectFaults.None : ObjectFaults.Mode)
            | (hasOwner ? ObjectFaults.None : ObjectFaults.Owner)
            | (hasTime ? ObjectFaults.None : ObjectFaults.Time);
    }

    private static bool IsClamped(long named, long actual) =>
        named < actual ? actual == EarliestTime : named > actual && LatestTimes.Contains(actual);
}
