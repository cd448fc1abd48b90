using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// A directory that is being removed: first its files go, then its subdirectories, then the directory itself. What cannot be removed is told to
/// a callback, and stays with the directories above it. Everything else goes.
/// </summary>
internal sealed class EmptiedDirectory : IDisposable
{
    private readonly SafeFileHandle parent;
    private readonly byte[] name;
    private readonly string topPath;
    private readonly EmptiedDirectory? above;
    private readonly Action<LinuxException> onRest;
    private volatile bool hasRest;

    /// <summary>
    /// Opens a directory. If its owner has no permission to read it, the owner gets all permissions first. Throws
    /// <see cref="LinuxException"/>.
    /// </summary>
    /// <param name="parent">The directory above. The caller keeps owning it, and keeps it open until this object is closed.</param>
    /// <param name="name">The directory's name in <paramref name="parent"/>.</param>
    /// <param name="topPath">The path of the tree that is removed, for messages.</param>
    /// <param name="above">The directory above in that tree; null for the top.</param>
    /// <param name="onRest">Called for each thing that stays.</param>
    internal EmptiedDirectory(SafeFileHandle parent, byte[] name, string topPath, EmptiedDirectory? above, Action<LinuxException> onRest)
    {
        // Both names can be opened, but they would empty the parent itself or the directory above it.
        ReadOnlySpan<byte> last = name.AsSpan(name.AsSpan().LastIndexOf((byte)'/') + 1);
        if (last.SequenceEqual("."u8) || last.SequenceEqual(".."u8))
        {
            throw new ArgumentException("'.' and '..' cannot be removed", nameof(name));
        }

        this.parent = parent;
        this.name = name;
        this.topPath = topPath;
        this.above = above;
        this.onRest = onRest;
        const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow;
        Errno errno = Sys.Open(parent, name, flags, out SafeFileHandle directory);
        if (errno == Errno.EACCES && Sys.SetMode(parent, name, FileModes.OwnerOnly) == Errno.None)
        {
            errno = Sys.Open(parent, name, flags, out directory);
        }

        Handle = directory;
        if (errno != Errno.None)
        {
            Handle.Dispose();
            throw new LinuxException(errno, "openat", Path);
        }
    }

    /// <summary>The directory, open for reading.</summary>
    internal SafeFileHandle Handle { get; }

    /// <summary>The names of the subdirectories that <see cref="RemoveFiles"/> left.</summary>
    internal Stack<byte[]> Subdirectories { get; } = new();

    /// <summary>The directory's path, for messages. Its text is made only for a failure: a tree may be a million directories deep.</summary>
    internal string Path
    {
        get
        {
            var names = new Stack<byte[]>();
            for (EmptiedDirectory? d = this; d.above is not null; d = d.above)
            {
                names.Push(d.name);
            }

            return string.Join('/', names.Select(name => ByteText.Quote(name)).Prepend(topPath));
        }
    }

    /// <summary>
    /// Whether a failed removal concerns one thing only, so that the rest can go. Without descriptors or memory nothing can go.
    /// </summary>
    internal static bool IsOfOneThing(LinuxException e) => e.Errno is not (Errno.EMFILE or Errno.ENFILE or Errno.ENOMEM);

    /// <summary>Removes everything in the directory except subdirectories. A mount point is left as it is.</summary>
    internal void RemoveFiles(DirectoryReader reader)
    {
        try
        {
            RequireNoMount();
            reader.Start(Handle, this);
            bool madeWritable = false;
            while (reader.Next())
            {
                RemoveFile(reader.Name, ref madeWritable);
            }
        }
        catch (LinuxException e) when (IsOfOneThing(e))
        {
            Keep(e);
        }
    }

    /// <summary>Opens a subdirectory; null if it cannot be opened and so stays.</summary>
    internal EmptiedDirectory? TryEnter(byte[] child)
    {
        try
        {
            return new EmptiedDirectory(Handle, child, topPath, this, onRest);
        }
        catch (LinuxException e) when (IsOfOneThing(e))
        {
            Keep(e);
            return null;
        }
    }

    /// <summary>Closes the directory and removes it, unless something stays in it.</summary>
    internal void Remove()
    {
        Dispose();
        Errno errno = hasRest ? Errno.ENOTEMPTY : Sys.RemoveDirectory(parent, name);
        if (errno is Errno.None or Errno.ENOENT)
        {
            return;
        }

        if (!hasRest)
        {
            onRest(new LinuxException(errno, "unlinkat", Path));
        }

        if (above is not null)
        {
            above.hasRest = true;
        }
    }

    /// <summary>Notes that something in this directory stays.</summary>
    internal void Keep(LinuxException why)
    {
        hasRest = true;
        onRest(why);
    }

    /// <summary>Closes the directory.</summary>
    public void Dispose() => Handle.Dispose();

    /// <inheritdoc/>
    public override string ToString() => Path;

    /// <summary>
    /// Whether unlink(2) failed because the name is a directory. Linux answers EISDIR and POSIX EPERM, but EPERM also stands for an
    /// immutable file, so the type is looked up.
    /// </summary>
    internal static bool IsDirectory(Errno errno, SafeFileHandle dir, ReadOnlySpan<byte> name) =>
        errno == Errno.EISDIR
        || (errno == Errno.EPERM && Sys.Stat(dir, name, out FileStatus status) == Errno.None && status.Type == FileType.Directory);

    private void RequireNoMount()
    {
        Sys.Stat(Handle, out FileStatus status).ThrowIfFailed("statx", this);
        if (status.IsMountRoot)
        {
            throw new LinuxException(Errno.EBUSY, "unlinkat", $"something mounted in {Path}");
        }
    }

    private void RemoveFile(ReadOnlySpan<byte> file, ref bool madeWritable)
    {
        Errno errno = Sys.Unlink(Handle, file);
        if (errno == Errno.EACCES && !madeWritable)
        {
            madeWritable = true;
            _ = Sys.SetMode(Handle, FileModes.OwnerOnly);
            errno = Sys.Unlink(Handle, file);
        }

        if (errno is Errno.None or Errno.ENOENT)
        {
            return;
        }

        if (IsDirectory(errno, Handle, file))
        {
            Subdirectories.Push(file.ToArray());
        }
        else
        {
            Keep(new LinuxException(errno, "unlinkat", $"{Path}/{ByteText.Quote(file)}"));
        }
    }
}
