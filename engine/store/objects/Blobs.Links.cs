using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>This file has the methods by which objects become files of roots.</summary>
public sealed partial class Blobs
{
    private const int MostRenewals = 8;

    private readonly Lock renewal = new();

    /// <summary>
    /// Gives an object another name. Files of roots are made so. Returns the errno, such as EEXIST, EXDEV, or
    /// ENOENT if the object is missing. If the filesystem allows no more links to the inode, the object gets a new inode. The old inode stays in the roots that
    /// have it.
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

        return errno;
    }

    /// <summary>
    /// Makes a file of a root the object in the place of what it is, atomically. Returns the errno as <see cref="Link"/> does; then the file is as it
    /// was.
    /// </summary>
    public Errno LinkOver(in ObjectName name, SafeFileHandle directory, ReadOnlySpan<byte> entry)
    {
        // The new link is made in tmp/, where gc removes it if this process ends now. In the root it would stay.
        byte[] temporaryName = TemporaryName.New();
        Errno errno = Link(name, temporary, temporaryName);
        if (errno == Errno.None)
        {
            errno = Sys.Rename(temporary, temporaryName, directory, entry);
            _ = errno == Errno.None ? Errno.None : Sys.Unlink(temporary, temporaryName);
        }

        return errno;
    }

    /// <summary>Whether an object's inode is immutable or append-only, so that it can get no more names and lose none.</summary>
    public bool IsFixed(in ObjectName name) =>
        Sys.Stat(files, PathOf(name, stackalloc byte[ObjectName.MaxLength]), out FileStatus status) == Errno.None && status.IsFixed;

    /// <summary>
    /// Calls link(2), and repeats it after ENOENT. link(2) answers ENOENT also if the inode lost its last name during the call. That
    /// happens if two processes renew an object shortly after each other. A repeated call finds the newer inode.
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
    /// Makes sure that an object does not share its inode with the file that has this status. If it does, a new inode takes the object's
    /// name. False if the content is no longer what the object's name says; then nothing is changed.
    /// </summary>
    internal bool TrySeparate(in ObjectName name, in FileStatus status, ReadOnlySpan<byte> recordedXattrs) =>
        !SharesInode(name, status) || TryRenew(name, PathOf(name, stackalloc byte[ObjectName.MaxLength]), format.ObjectXattrs(recordedXattrs));

    private void Renew(in ObjectName name, ReadOnlySpan<byte> objectPath)
    {
        using SafeFileHandle full = Open(name, out _);
        if (!TryRenew(name, objectPath, new Xattrs(format).Read(full, Subject(name))))
        {
            throw new CorruptException(Subject(name), "the content is not what the name says", new Remedy.CheckStore());
        }
    }

    /// <summary>Gives an object a new inode with a copy of its content. False if the content is not what the object's name says.</summary>
    private bool TryRenew(in ObjectName name, ReadOnlySpan<byte> objectPath, ReadOnlySpan<byte> xattrs)
    {
        using SafeFileHandle old = Open(name, out FileStatus status);
        using SafeFileHandle file = NewFile(name.Metadata);
        if (FileContent.Read(old, status, file, Subject(name), CancellationToken.None) != name.Blob)
        {
            return false;
        }

        using SafeFileHandle? readable = frozen.IsWanted ? frozen.Freeze(file) : null;
        SafeFileHandle inode = readable ?? file;
        ObjectInode.SetMetadata(format, inode, name.Metadata, xattrs, Subject(name));
        Sys.Sync(inode).ThrowIfFailed("fsync", $"{path}/{name}");
        Replace(inode, name, objectPath);
        return true;
    }
}
