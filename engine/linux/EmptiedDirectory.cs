using Microsoft.Win32.SafeHandles;

namespace HackTree.Linux;

/// <summary>A directory that is being removed: first its files go, then its subdirectories, then the directory itself.</summary>
public sealed class EmptiedDirectory : IDisposable
{
    private readonly SafeFileHandle parent;
    private readonly byte[] name;
    private readonly string subject;

    /// <summary>
    /// Opens a directory. If its owner has no permission to read it, the owner gets all permissions first. Throws
    /// <see cref="LinuxException"/>.
    /// </summary>
    /// <param name="parent">The directory above. The caller keeps owning it, and keeps it open until this object is closed.</param>
    /// <param name="name">The directory's name in <paramref name="parent"/>.</param>
    /// <param name="subject">Names the directory in errors.</param>
    public EmptiedDirectory(SafeFileHandle parent, byte[] name, string subject)
    {
        // Both names can be opened, but they would empty the parent itself or the directory above it.
        ReadOnlySpan<byte> last = name.AsSpan(name.AsSpan().LastIndexOf((byte)'/') + 1);
        if (last.SequenceEqual("."u8) || last.SequenceEqual(".."u8))
        {
            throw new ArgumentException("'.' and '..' cannot be removed", nameof(name));
        }

        this.parent = parent;
        this.subject = subject;
        this.name = name;
        const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow;
        Errno errno = Sys.Open(parent, name, flags, out SafeFileHandle directory);
        if (errno == Errno.EACCES && Sys.SetMode(parent, name, FileModes.OwnerOnly) == Errno.None)
        {
            errno = Sys.Open(parent, name, flags, out directory);
        }

        errno.ThrowIfFailed("openat", subject);
        Handle = directory;
    }

    /// <summary>The directory, open for reading.</summary>
    public SafeFileHandle Handle { get; }

    /// <summary>The names of the subdirectories that <see cref="RemoveFiles"/> left.</summary>
    public Stack<byte[]> Subdirectories { get; } = new();

    /// <summary>The names of the files that <see cref="RemoveFiles"/> could not remove for lack of permission: immutable ones, for example.</summary>
    public List<byte[]> Obstacles { get; } = [];

    /// <summary>
    /// Removes everything in the directory except subdirectories and <see cref="Obstacles"/>. Throws <see cref="LinuxException"/>: EBUSY if this is a mount point.
    /// </summary>
    public void RemoveFiles(DirectoryReader reader)
    {
        Sys.Stat(Handle, out FileStatus status).ThrowIfFailed("statx", subject);
        if (status.IsMountRoot)
        {
            throw new LinuxException(Errno.EBUSY, "unlinkat", $"something mounted in {subject}");
        }

        reader.Start(Handle, subject);
        bool madeWritable = false;
        while (reader.Next())
        {
            Errno errno = Sys.Unlink(Handle, reader.Name);
            if (errno == Errno.EACCES && !madeWritable)
            {
                madeWritable = true;
                _ = Sys.SetMode(Handle, FileModes.OwnerOnly);
                errno = Sys.Unlink(Handle, reader.Name);
            }

            if (errno is Errno.None or Errno.ENOENT)
            {
                continue;
            }

            if (!IsDirectory(errno, Handle, reader.Name))
            {
                if (errno == Errno.EPERM)
                {
                    Obstacles.Add(reader.Name.ToArray());
                    continue;
                }

                throw new LinuxException(errno, "unlinkat", subject);
            }

            Subdirectories.Push(reader.Name.ToArray());
        }
    }

    /// <summary>Closes the directory and removes it. It must be empty. Throws <see cref="LinuxException"/>.</summary>
    public void Remove()
    {
        Dispose();
        Sys.RemoveDirectory(parent, name).ThrowIfFailed("unlinkat", subject);
    }

    /// <summary>Closes the directory.</summary>
    public void Dispose() => Handle.Dispose();

    /// <summary>
    /// Whether unlink(2) failed because the name is a directory. Linux answers EISDIR and POSIX EPERM, but EPERM also stands for an
    /// immutable file, so the type is looked up.
    /// </summary>
    internal static bool IsDirectory(Errno errno, SafeFileHandle dir, ReadOnlySpan<byte> name) =>
        errno == Errno.EISDIR
        || (errno == Errno.EPERM && Sys.Stat(dir, name, out FileStatus status) == Errno.None && status.Type == FileType.Directory);
}
