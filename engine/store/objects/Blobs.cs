using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// The objects under files/. An object gets its name only when its content and metadata are whole, and never changes
/// afterwards. Thread-safe.
/// </summary>
/// <remarks>
/// Objects are reached by path from files/, and its 256 directories stay closed. Open ones would spare each call a look-up of
/// two letters, a hundredth of what a link costs; but whenever a process of several threads has more than 64, 128, 256 files open for the first time,
/// the kernel waits for all processors before it uses the longer table (expand_fdtable in fs/file.c): some 5 ms each time.
/// </remarks>
public sealed partial class Blobs : IDisposable
{
    /// <summary>Bytes of scratch space that <see cref="AddFile"/> wants.</summary>
    public const int BufferSize = FileContent.SmallFile;


    private readonly SafeFileHandle files;
    private readonly SafeFileHandle temporary;
    private readonly bool[] isDirectory = new bool[256];
    private readonly ListedObjects listed;
    private readonly DoubtMark unsynced;
    private readonly DoubtMark adopting;
    private readonly StoreFormat format;
    private readonly string path;
    private readonly CancellationToken stop;
    private volatile bool cannotClone;
    private long added;
    private long addedBytes;

    internal Blobs(SafeFileHandle files, SafeFileHandle temporary, DoubtMark unsynced, DoubtMark adopting, StoreFormat format, string path, CancellationToken stop)
    {
        this.files = files;
        this.temporary = temporary;
        this.unsynced = unsynced;
        this.adopting = adopting;
        this.format = format;
        this.path = path;
        this.stop = stop;
        listed = new ListedObjects(OpenFan, path);
    }

    /// <summary>Objects that were new and got their names from this process.</summary>
    public long Added => Interlocked.Read(ref added);

    /// <summary>
    /// Objects whose inodes changed last before this are none that somebody made of his files and then failed to take those away; null where nobody
    /// failed.
    /// </summary>
    internal FileTime? AdoptionDoubtedSince => adopting.DoubtedSince;

    /// <summary>Bytes of their content.</summary>
    public long AddedBytes => Interlocked.Read(ref addedBytes);

    /// <summary>
    /// Whether the object is there with that size. A power cut can leave an object shorter than it was; such a one is
    /// said to be missing, so that it is written again.
    /// </summary>
    public bool Contains(in ObjectName name, long size) => Contains(name, size, out _);

    /// <summary>Whether a file of that status is the very inode of the object: a hardlink of it.</summary>
    public bool IsInode(in ObjectName name, in FileStatus status) =>
        TryStat(name, out FileStatus stored) && (stored.Inode, stored.Device) == (status.Inode, status.Device);

    /// <summary>
    /// Whether a file of that status is an object that the store has, with that object's metadata: its inode, or the one it had before it was renewed.
    /// Where many are asked for, that costs no system call.
    /// </summary>
    public bool IsStoredInode(in ObjectName name, in FileStatus status, ReadOnlySpan<byte> recordedXattrs)
    {
        // What is in doubt may have been replaced since it was listed because it was wrong: only the inode that it has now will do.
        bool isInode = HasMetadata(status, name) && ((!IsInDoubt && WasInode(name, status)) || IsInode(name, status));
        return isInode && IsStored(name, status.Size, recordedXattrs);
    }

    /// <summary>What statx(2) tells of an object; false where there is none.</summary>
    public bool TryStat(in ObjectName name, out FileStatus status)
    {
        Errno errno = Sys.Stat(files, PathOf(name, stackalloc byte[ObjectName.MaxLength]), out status);
        if (errno != Errno.ENOENT)
        {
            errno.ThrowIfFailed("statx", $"{path}/{name}");
        }

        return errno == Errno.None;
    }

    /// <summary>Opens an object for reading. Throws <see cref="CorruptException"/> where it is missing.</summary>
    public SafeFileHandle Open(in ObjectName name)
    {
        ReadOnlySpan<byte> objectPath = PathOf(name, stackalloc byte[ObjectName.MaxLength]);
        Errno errno = Sys.Open(files, objectPath, OpenFlags.ReadOnly | OpenFlags.NoFollow, out SafeFileHandle file);
        ThrowIfMissing(errno, name);
        errno.ThrowIfFailed("openat", $"{path}/{name}");
        return file;
    }

    /// <summary>The object that a tree's record of a regular file means in this store.</summary>
    public ObjectName NameOf(Digest blob, FileMetadata recorded, ReadOnlySpan<byte> recordedXattrs) =>
        ObjectName.Of(blob, format.ObjectMetadata(recorded), format.ObjectXattrs(recordedXattrs));

    /// <summary>The object of a regular file's tree entry.</summary>
    public ObjectName NameOf(in TreeEntry entry) => NameOf(entry.Digest, entry.Metadata, entry.Xattrs);

    /// <summary>An object's path below files/, written to <paramref name="buffer"/>. The directory on it is one, and no link to another place.</summary>
    private ReadOnlySpan<byte> PathOf(in ObjectName name, Span<byte> buffer)
    {
        byte fan = name.Fanout;
        ReadOnlySpan<byte> objectPath = buffer[..name.Format(buffer)];
        if (!Volatile.Read(ref isDirectory[fan]))
        {
            Sys.Stat(files, objectPath[..2], out FileStatus status).ThrowIfFailed("statx", $"{path}/{fan:x2}");
            if (status.Type != FileType.Directory)
            {
                throw new CorruptException($"{path}/{fan:x2}", "it is not a directory, as a store has there", new Remedy.RestoreFromCopy());
            }

            Volatile.Write(ref isDirectory[fan], true);
        }

        return objectPath;
    }

    /// <summary>Forgets which objects there are: some are about to go.</summary>
    internal void ForgetListed() => listed.Forget();

    /// <summary>Opens one of the 256 directories, to be listed.</summary>
    internal SafeFileHandle OpenFan(byte fan)
    {
        Span<byte> name = stackalloc byte[2];
        Convert.TryToHexStringLower([fan], name, out _);
        Sys.Open(files, name, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle opened)
            .ThrowIfFailed("openat", $"{path}/{fan:x2}");
        return opened;
    }

    /// <summary>Closes the directory.</summary>
    public void Dispose() => files.Dispose();

    private bool? IsListed(in ObjectName name) =>
        listed.Contains(name.Fanout, NameInFan(name, stackalloc byte[ObjectName.MaxLength]));

    private bool WasInode(in ObjectName name, in FileStatus status) =>
        listed.WasInode(name.Fanout, NameInFan(name, stackalloc byte[ObjectName.MaxLength]), status.Device, status.Inode);

    private static ReadOnlySpan<byte> NameInFan(in ObjectName name, Span<byte> buffer) => buffer[..name.Format(buffer)][ObjectName.FanoutLength..];

    /// <summary>Whether the object is there and a commit may rely on its content.</summary>
    private bool IsWhole(in ObjectName name, long size)
    {
        bool isThere = Contains(name, size, out FileStatus status);
        if (!isThere || !IsInDoubt)
        {
            return isThere;
        }

        // A name outside may be there still, to write to it at any time: even right as it is now, it is not what to rely on.
        // One that was made since is the store's own, and only roots have it too.
        bool mayBeAdopted = status.ChangeTime >= AdoptionDoubtedSince && !(status.BirthTime >= AdoptionDoubtedSince);
        if (mayBeAdopted && (status.LinkCount > 1 || !HasMetadata(status, name)))
        {
            return false;
        }

        using SafeFileHandle file = Open(name);

        // After a failed sync the page cache has what should have been written, and calls it clean.
        Sys.DropCached(file);
        return FileContent.Read(file, status, null, Subject(name), stop) == name.Blob;
    }

    private bool Contains(in ObjectName name, long size, out FileStatus status) =>
        TryStat(name, out status) && status.Size == size && status.Type == FileType.Regular;

    private bool IsInDoubt => unsynced.IsInDoubt || adopting.IsInDoubt;

    private bool HasMetadata(in FileStatus status, in ObjectName name) =>
        status.Mode == name.Metadata.Mode
        && (format.UserMode || (status.Uid, status.Gid) == (name.Metadata.Uid, name.Metadata.Gid))
        && status.ModifyTime == new FileTime(name.Metadata.ModifyTime, 0);

    /// <summary>
    /// Whether the object is there. Its name holds 64 bits of its attributes' digest, few enough that somebody could
    /// make two sets that agree in them, so the attributes themselves are compared.
    /// </summary>
    public bool IsStored(in ObjectName name, long size, ReadOnlySpan<byte> recordedXattrs)
    {
        // Where the list is out of date, giving the name will tell.
        bool isThere = IsInDoubt ? IsWhole(name, size) : IsListed(name) ?? Contains(name, size);
        if (!isThere)
        {
            return false;
        }

        if (name.XattrTag != 0)
        {
            using SafeFileHandle file = Open(name);
            if (!format.ObjectXattrs(recordedXattrs).SequenceEqual(format.ObjectXattrs(new Xattrs().Read(file, Subject(name)))))
            {
                throw new CorruptException(Subject(name), "its extended attributes are not those its name stands for", new Remedy.CheckStore());
            }
        }

        return true;
    }

    private void ThrowIfMissing(Errno errno, in ObjectName name)
    {
        if (errno == Errno.ENOENT)
        {
            throw new CorruptException(Subject(name), "the object is missing", new Remedy.CheckStore()) { IsMissing = true };
        }
    }

    private string Subject(in ObjectName name) => $"{path}/{name}";
}

/// <summary>Fills a span with the next bytes of some content, or throws.</summary>
public delegate void ContentReader(Span<byte> destination);
