using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Adds, finds and links the objects in files/. An object gets its name only when its content and metadata are whole, and never changes
/// afterwards. Thread-safe.
/// </summary>
/// <remarks>
/// Objects are reached by path from files/. None of its 256 directories stays open. An open directory would spare each call the look-up of
/// two letters, which takes a hundredth of the time of a link. But open files have a cost: whenever a process of several threads has more
/// than 64, 128 or 256 files open for the first time, the kernel waits for all processors before it uses a longer table (expand_fdtable in
/// fs/file.c). Each such wait takes about 5 ms.
/// </remarks>
public sealed partial class Blobs : IDisposable
{
    /// <summary>The size of the scratch space that <see cref="Additions.AddFile"/> needs, in bytes.</summary>
    public const int BufferSize = FileContent.SmallFile;

    private readonly SafeFileHandle files;
    private readonly SafeFileHandle temporary;
    private readonly bool[] isDirectory = new bool[256];
    private readonly ListedObjects listed;
    private readonly Doubt doubt;
    private readonly StoreFormat format;
    private readonly Frozen frozen;
    private readonly string path;
    private volatile bool cannotClone;
    private long added;
    private long addedBytes;

    internal Blobs(SafeFileHandle files, SafeFileHandle temporary, Doubt doubt, StoreFormat format, string path, CancellationToken stop)
    {
        this.files = files;
        this.temporary = temporary;
        this.doubt = doubt;
        this.format = format;
        frozen = new Frozen(format.Verity, path);
        this.path = path;
        Stop = stop;
        listed = new ListedObjects(OpenFan, path);
    }

    /// <summary>The caller's request to stop.</summary>
    internal CancellationToken Stop { get; }

    /// <summary>The number of new objects that this process gave their names.</summary>
    public long Added => Interlocked.Read(ref added);

    /// <summary>Bytes of content of the objects counted by <see cref="Added"/>.</summary>
    public long AddedBytes => Interlocked.Read(ref addedBytes);

    /// <summary>
    /// Opens an object for reading. Throws <see cref="CorruptException"/> if it is missing or no regular file. <paramref name="place"/> is a
    /// file that needs the object, for messages.
    /// </summary>
    internal SafeFileHandle Open(in ObjectName name, out FileStatus status, object? place = null)
    {
        ReadOnlySpan<byte> objectPath = PathOf(name, stackalloc byte[ObjectName.MaxLength]);
        Errno errno = StoreFile.TryOpen(files, objectPath, OpenFlags.ReadOnly, out SafeFileHandle file, out status);
        if (errno is Errno.ENOENT or Errno.ENXIO)
        {
            throw errno == Errno.ENOENT ? Missing(name, place) : Damaged(name, place, StoreFile.NotRegular);
        }

        errno.ThrowIfFailed("openat", $"{Subject(name, place)}");
        return file;
    }

    /// <summary>The object for a regular file in this store, by what a tree records for the file.</summary>
    public ObjectName NameOf(Digest blob, FileMetadata recorded, ReadOnlySpan<byte> recordedXattrs) =>
        ObjectName.Of(blob, format.ObjectMetadata(recorded), format.ObjectXattrs(recordedXattrs));

    /// <summary>The object of a regular file's tree entry.</summary>
    public ObjectName NameOf(in TreeEntry entry) => NameOf(entry.Digest, entry.Metadata, entry.Xattrs);

    /// <summary>
    /// Writes an object's path below files/ to <paramref name="buffer"/>. Throws <see cref="CorruptException"/> if the fan-out directory is
    /// something else, such as a link to another place.
    /// </summary>
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

    /// <summary>Forgets which objects there are, because some will be removed.</summary>
    internal void ForgetListed() => listed.Forget();

    /// <summary>Whether one of the 256 fan-out directories exists.</summary>
    internal bool HasFan(byte fan)
    {
        Span<byte> name = stackalloc byte[2];
        Convert.TryToHexStringLower([fan], name, out _);
        return Sys.Stat(files, name, out _) != Errno.ENOENT;
    }

    /// <summary>Opens one of the 256 fan-out directories for listing.</summary>
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

    /// <summary>The failure of a file whose object is missing.</summary>
    public CorruptException Missing(in ObjectName name, object? place) =>
        new(Subject(name, place), "the object is missing", new Remedy.HealObject()) { IsMissing = true };

    /// <summary>An object's path in messages.</summary>
    internal string Subject(in ObjectName name) => $"{path}/{name}";
}

/// <summary>Fills the whole span with the next bytes of some content, or throws.</summary>
public delegate void ContentReader(Span<byte> destination);
