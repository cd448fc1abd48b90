using Microsoft.Win32.SafeHandles;

namespace HackTree.Linux;

/// <summary>A directory on its way out: once its files are gone, its subdirectories wait, and it goes when they have gone.</summary>
public sealed class EmptiedDirectory : IDisposable
{

    private readonly SafeFileHandle parent;
    private readonly byte[] name;
    private readonly string subject;

    /// <summary>Opens a directory, which is given owner permissions where it lacks them. Throws <see cref="LinuxException"/>.</summary>
    /// <param name="parent">Where it is; stays the caller's, and open until this has gone.</param>
    /// <param name="name">Its name there.</param>
    /// <param name="subject">What errors are about.</param>
    public EmptiedDirectory(SafeFileHandle parent, byte[] name, string subject)
    {
        // These open like any directory; what would be emptied is parent itself, or what is around it.
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

    /// <summary>What <see cref="RemoveFiles"/> left.</summary>
    public Stack<byte[]> Subdirectories { get; } = new();

    /// <summary>Removes all in it but directories. Throws <see cref="LinuxException"/>, EBUSY where something is mounted on it.</summary>
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
                throw new LinuxException(errno, "unlinkat", subject);
            }

            Subdirectories.Push(reader.Name.ToArray());
        }
    }

    /// <summary>Closes it and removes it, which must be empty by now. Throws <see cref="LinuxException"/>.</summary>
    public void Remove()
    {
        Dispose();
        Sys.RemoveDirectory(parent, name).ThrowIfFailed("unlinkat", subject);
    }

    /// <summary>Closes it.</summary>
    public void Dispose() => Handle.Dispose();

    /// <summary>unlink(2) of a directory is EISDIR on Linux, EPERM by POSIX; but EPERM is an immutable file's answer too.</summary>
    internal static bool IsDirectory(Errno errno, SafeFileHandle dir, ReadOnlySpan<byte> name) =>
        errno == Errno.EISDIR
        || (errno == Errno.EPERM && Sys.Stat(dir, name, out FileStatus status) == Errno.None && status.Type == FileType.Directory);
}
