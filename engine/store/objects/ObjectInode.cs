using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Gives an inode its metadata: a new object, a copy beside it, a directory of a root.</summary>
public static class ObjectInode
{
    /// <summary>
    /// Sets owner, attributes, mode and time, in this order: changing the owner clears set-id bits and capabilities, and an
    /// ACL changes the mode.
    /// </summary>
    /// <param name="format">The store's policies; an ordinary user's store cannot give files away.</param>
    /// <param name="file">The file, open.</param>
    /// <param name="metadata">Of an object, as <see cref="StoreFormat.ObjectMetadata"/> gives it.</param>
    /// <param name="xattrs">As <see cref="StoreFormat.ObjectXattrs"/> gives them.</param>
    /// <param name="subject">The file's name in messages.</param>
    public static void SetMetadata(StoreFormat format, SafeFileHandle file, FileMetadata metadata, ReadOnlySpan<byte> xattrs, object subject)
    {
        // What the file was made with is mostly right already, and a statx(2) is cheaper than the journal entry of a change.
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
