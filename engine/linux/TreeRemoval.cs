using System.Text;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Linux;

/// <summary>Removes a whole tree by descriptors: no path is ever built, no symbolic link followed, no mount entered, and depth does not matter.</summary>
public static class TreeRemoval
{
    private const uint OwnerOnly = 0x1C0;

    // Each level holds a descriptor; directories below this are moved to the top first, so that no depth uses them up.
    private const int MaxLevels = 200;

    /// <summary>
    /// Removes <paramref name="name"/> in <paramref name="parent"/>, a file or a directory with all that is below it.
    /// Nothing there is not an error. Directories without owner permissions are given them first. Something mounted
    /// in the tree is EBUSY and stays as it is; what was removed before it was found is gone.
    /// </summary>
    public static void Remove(SafeFileHandle parent, ReadOnlySpan<byte> name, string subject)
    {
        // These open like any directory; what would be emptied is parent itself, or what is around it.
        ReadOnlySpan<byte> last = name[(name.LastIndexOf((byte)'/') + 1)..];
        if (last.SequenceEqual("."u8) || last.SequenceEqual(".."u8))
        {
            throw new ArgumentException("'.' and '..' cannot be removed", nameof(name));
        }

        Errno errno = Sys.Unlink(parent, name);
        if (errno is Errno.None or Errno.ENOENT)
        {
            return;
        }

        if (!IsDirectory(errno, parent, name))
        {
            throw new LinuxException(errno, "unlinkat", subject);
        }

        var levels = new Stack<Level>();
        try
        {
            var reader = new DirectoryReader();
            var top = new Level(parent, name.ToArray(), subject);
            levels.Push(top);
            top.RemoveFiles(reader);
            while (levels.TryPeek(out Level? level))
            {
                if (!level.Subdirectories.TryPop(out byte[]? child))
                {
                    levels.Pop();
                    level.Directory.Dispose();
                    SafeFileHandle above = levels.TryPeek(out Level? outer) ? outer.Directory : parent;
                    Sys.RemoveDirectory(above, level.Name).ThrowIfFailed("unlinkat", subject);
                }
                else if (levels.Count >= MaxLevels)
                {
                    MoveUp(level, child, top, subject);
                }
                else
                {
                    var below = new Level(level.Directory, child, subject);
                    levels.Push(below);
                    below.RemoveFiles(reader);
                }
            }
        }
        finally
        {
            foreach (Level level in levels)
            {
                level.Directory.Dispose();
            }
        }
    }

    /// <summary>unlink(2) of a directory is EISDIR on Linux, EPERM by POSIX; but EPERM is an immutable file's answer too.</summary>
    private static bool IsDirectory(Errno errno, SafeFileHandle dir, ReadOnlySpan<byte> name) =>
        errno == Errno.EISDIR
        || (errno == Errno.EPERM && Sys.Stat(dir, name, out FileStatus status) == Errno.None && status.Type == FileType.Directory);

    private static void MoveUp(Level level, byte[] child, Level top, string subject)
    {
        bool madeWritable = false;
        for (int number = 0; ; number++)
        {
            byte[] fresh = Encoding.ASCII.GetBytes($"hacktree-removes-{top.Subdirectories.Count}-{number}");
            Errno errno = Sys.RenameNew(level.Directory, child, top.Directory, fresh);
            if (errno == Errno.None)
            {
                top.Subdirectories.Push(fresh);
                return;
            }

            if (errno == Errno.EACCES && !madeWritable)
            {
                // A directory that changes its parent must be writable, since its ".." changes.
                madeWritable = true;
                _ = Sys.SetMode(top.Directory, OwnerOnly);
                _ = Sys.SetMode(level.Directory, OwnerOnly);
                _ = Sys.SetMode(level.Directory, child, OwnerOnly);
            }
            else if (errno != Errno.EEXIST)
            {
                throw new LinuxException(errno, "renameat2", subject);
            }
        }
    }

    /// <summary>One directory on the way down; once its files are gone, its subdirectories wait.</summary>
    private sealed class Level
    {
        private readonly string subject;

        public Level(SafeFileHandle parent, byte[] name, string subject)
        {
            this.subject = subject;
            Name = name;
            const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow;
            Errno errno = Sys.Open(parent, name, flags, out SafeFileHandle directory);
            if (errno == Errno.EACCES && Sys.SetMode(parent, name, OwnerOnly) == Errno.None)
            {
                errno = Sys.Open(parent, name, flags, out directory);
            }

            errno.ThrowIfFailed("openat", subject);
            Directory = directory;
        }

        public byte[] Name { get; }

        public SafeFileHandle Directory { get; }

        public Stack<byte[]> Subdirectories { get; } = new();

        public void RemoveFiles(DirectoryReader reader)
        {
            Sys.Stat(Directory, out FileStatus status).ThrowIfFailed("statx", subject);
            if (status.IsMountRoot)
            {
                throw new LinuxException(Errno.EBUSY, "unlinkat", $"something mounted in {subject}");
            }

            reader.Start(Directory, subject);
            bool madeWritable = false;
            while (reader.Next())
            {
                Errno errno = Sys.Unlink(Directory, reader.Name);
                if (errno == Errno.EACCES && !madeWritable)
                {
                    madeWritable = true;
                    _ = Sys.SetMode(Directory, OwnerOnly);
                    errno = Sys.Unlink(Directory, reader.Name);
                }

                if (errno is Errno.None or Errno.ENOENT)
                {
                    continue;
                }

                if (!IsDirectory(errno, Directory, reader.Name))
                {
                    throw new LinuxException(errno, "unlinkat", subject);
                }

                Subdirectories.Push(reader.Name.ToArray());
            }
        }
    }
}
