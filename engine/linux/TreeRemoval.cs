using Microsoft.Win32.SafeHandles;

namespace HackTree.Linux;

/// <summary>Removes a whole tree by descriptors: no path is ever built, no symbolic link followed, and depth does not matter.</summary>
public static class TreeRemoval
{
    /// <summary>
    /// Removes <paramref name="name"/> in <paramref name="parent"/>, a file or a directory with all that is below it.
    /// Nothing there is not an error. Directories without owner permissions are given them first.
    /// </summary>
    public static void Remove(SafeFileHandle parent, ReadOnlySpan<byte> name, string subject)
    {
        Errno errno = Sys.Unlink(parent, name);
        if (errno is Errno.None or Errno.ENOENT)
        {
            return;
        }

        // unlink(2) of a directory is EISDIR on Linux, EPERM by POSIX; anything else is a real failure.
        if (errno is not (Errno.EISDIR or Errno.EPERM))
        {
            errno.ThrowIfFailed("unlinkat", subject);
        }

        var levels = new Stack<Level>();
        try
        {
            levels.Push(new Level(parent, name.ToArray(), subject));
            while (levels.TryPeek(out Level? level))
            {
                if (level.Subdirectories.TryPop(out byte[]? child))
                {
                    levels.Push(new Level(level.Directory, child, subject));
                    continue;
                }

                levels.Pop();
                level.Directory.Dispose();
                SafeFileHandle above = levels.TryPeek(out Level? outer) ? outer.Directory : parent;
                Sys.RemoveDirectory(above, level.Name).ThrowIfFailed("unlinkat", subject);
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

    /// <summary>One directory on the way down: its files are gone, its subdirectories wait.</summary>
    private sealed class Level
    {
        public Level(SafeFileHandle parent, byte[] name, string subject)
        {
            Name = name;
            const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow;
            Errno errno = Sys.Open(parent, name, flags, out SafeFileHandle directory);
            if (errno == Errno.EACCES && Sys.SetMode(parent, name, 0x1C0) == Errno.None)
            {
                errno = Sys.Open(parent, name, flags, out directory);
            }

            errno.ThrowIfFailed("openat", subject);
            Directory = directory;
            try
            {
                RemoveFiles(subject);
            }
            catch
            {
                directory.Dispose();
                throw;
            }
        }

        public byte[] Name { get; }

        public SafeFileHandle Directory { get; }

        public Stack<byte[]> Subdirectories { get; } = new();

        private void RemoveFiles(string subject)
        {
            var reader = new DirectoryReader();
            reader.Start(Directory, subject);
            bool writable = false;
            while (reader.Next())
            {
                Errno errno = Sys.Unlink(Directory, reader.Name);
                if (errno == Errno.EACCES && !writable)
                {
                    writable = true;
                    _ = Sys.SetMode(Directory, 0x1C0);
                    errno = Sys.Unlink(Directory, reader.Name);
                }

                if (errno is Errno.EISDIR || (errno is Errno.EPERM && reader.Type == FileType.Directory))
                {
                    Subdirectories.Push(reader.Name.ToArray());
                }
                else if (errno != Errno.ENOENT)
                {
                    errno.ThrowIfFailed("unlinkat", subject);
                }
            }
        }
    }
}
