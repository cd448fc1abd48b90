using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>This file: how objects become files of roots.</summary>
public sealed partial class Blobs
{
    private const int MostRenewals = 8;

    private readonly Lock renewal = new();

    /// <summary>
    /// Gives an object another name, as every file of a root is made. Answers EEXIST and EXDEV. Where the filesystem
    /// allows no more links, the object gets a new inode: the old one lives on in the roots that have it.
    /// </summary>
    public Errno Link(in ObjectName name, SafeFileHandle directory, ReadOnlySpan<byte> newName)
    {
        ReadOnlySpan<byte> objectPath = PathOf(name, stackalloc byte[ObjectName.MaxLength]);
        Errno errno = LinkNow(objectPath, directory, newName);
        if (errno == Errno.EMLINK)
        {
            lock (renewal)
            {
                errno = LinkNow(objectPath, directory, newName);
                if (errno == Errno.EMLINK)
                {
                    Renew(name, objectPath);
                    errno = LinkNow(objectPath, directory, newName);
                }
            }
        }

        ThrowIfMissing(errno, name);
        return errno;
    }

    /// <summary>
    /// link(2), which says ENOENT too where the inode it had found lost its last name meanwhile: two processes may renew an object one
    /// right after the other. Then its name stands for the newer inode.
    /// </summary>
    private Errno LinkNow(ReadOnlySpan<byte> objectPath, SafeFileHandle directory, ReadOnlySpan<byte> newName)
    {
        Errno errno;
        int renewals = 0;
        do
        {
            errno = Sys.Link(files, objectPath, directory, newName);
        }
        while (errno == Errno.ENOENT && renewals++ < MostRenewals);

        return errno;
    }

    /// <summary>
    /// Removes an object if it is the very inode of that status, a file that has another name, and was written to or changed through that. That it is
    /// missing will be noticed; wrong, it would be served. Whoever relies on it meanwhile has lost it either way. Answers whether it was removed.
    /// </summary>
    public bool WithdrawChanged(in ObjectName name, in FileStatus status)
    {
        ReadOnlySpan<byte> objectPath = PathOf(name, stackalloc byte[ObjectName.MaxLength]);
        if (!IsInode(name, status) || new ObjectInspection(format).IsRight(files, objectPath, name))
        {
            return false;
        }

        Sys.Unlink(files, objectPath).ThrowIfFailed("unlinkat", $"{path}/{name}");
        listed.Forget();
        return true;
    }

    private void Renew(in ObjectName name, ReadOnlySpan<byte> objectPath)
    {
        using SafeFileHandle full = Open(name);
        Sys.Stat(full, out FileStatus status).ThrowIfFailed("statx", $"{path}/{name}");
        using SafeFileHandle file = NewFile(name.Metadata);
        if (FileContent.Read(full, status, file, Subject(name), CancellationToken.None) != name.Blob)
        {
            throw new CorruptException(Subject(name), "the content is not what the name says", new Remedy.CheckStore());
        }

        ObjectInode.SetMetadata(format, file, name.Metadata, new Xattrs().Read(full, Subject(name)), Subject(name));
        Sys.Sync(file).ThrowIfFailed("fsync", $"{path}/{name}");
        Replace(file, name, objectPath);
    }
}
