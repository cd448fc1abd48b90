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
    /// Makes sure that an object does not share its inode with a file of that status: if it does, an inode of its own takes its name. Answers false if
    /// the content is not the object's any more; then nothing is changed.
    /// </summary>
    internal bool TrySeparate(in ObjectName name, in FileStatus status, ReadOnlySpan<byte> recordedXattrs) =>
        !SharesInode(name, status) || TryRenew(name, PathOf(name, stackalloc byte[ObjectName.MaxLength]), format.ObjectXattrs(recordedXattrs));

    private void Renew(in ObjectName name, ReadOnlySpan<byte> objectPath)
    {
        using SafeFileHandle full = Open(name);
        if (!TryRenew(name, objectPath, new Xattrs().Read(full, Subject(name))))
        {
            throw new CorruptException(Subject(name), "the content is not what the name says", new Remedy.CheckStore());
        }
    }

    /// <summary>Gives an object a new inode with a copy of its content; false if that is not what the name says.</summary>
    private bool TryRenew(in ObjectName name, ReadOnlySpan<byte> objectPath, ReadOnlySpan<byte> xattrs)
    {
        using SafeFileHandle old = Open(name);
        Sys.Stat(old, out FileStatus status).ThrowIfFailed("statx", $"{path}/{name}");
        using SafeFileHandle file = NewFile(name.Metadata);
        if (FileContent.Read(old, status, file, Subject(name), CancellationToken.None) != name.Blob)
        {
            return false;
        }

        ObjectInode.SetMetadata(format, file, name.Metadata, xattrs, Subject(name));
        Sys.Sync(file).ThrowIfFailed("fsync", $"{path}/{name}");
        Replace(file, name, objectPath);
        return true;
    }
}
