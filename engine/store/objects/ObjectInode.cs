using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Sets the metadata of an inode: a new object, a copy, or a directory of a root.</summary>
public static class ObjectInode
{
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
        // A new file mostly has the right owner and mode already, and a statx(2) is cheaper than the journal entry of a change.
        Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", subject);
        bool isGiven = !format.UserMode && (status.Uid != metadata.Uid || status.Gid != metadata.Gid);
        if (isGiven)
        {
            Sys.SetOwner(file, metadata.Uid, metadata.Gid).ThrowIfFailed("fchownat", subject);
        }

        Xattrs.Set(file, xattrs, subject);
        if (isGiven || !xattrs.IsEmpty || status.Mode != metadata.Mode)
        {
            Sys.SetMode(file, metadata.Mode).ThrowIfFailed("fchmod", subject);
        }

        Sys.SetTime(file, metadata.ModifyTime).ThrowIfFailed("futimens", subject);
    }
}
