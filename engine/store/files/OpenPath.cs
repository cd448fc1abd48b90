using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Opens the files that a command line names.</summary>
public static class OpenPath
{
    private const int MostLinks = 40;
    private const int LongestLink = 4096;

    /// <summary>Opens a file.</summary>
    /// <exception cref="LinuxException">The file cannot be opened.</exception>
    public static SafeFileHandle File(string path, OpenFlags flags = OpenFlags.ReadOnly)
    {
        CurrentDirectory.RequireFor(path);
        Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), flags, out SafeFileHandle file).ThrowIfFailed("openat", path);
        return file;
    }

    /// <summary>Opens what a user named as a file, to read its content.</summary>
    /// <exception cref="StoreException">It is a directory.</exception>
    /// <exception cref="LinuxException">It cannot be opened.</exception>
    public static FileStream Content(string path)
    {
        SafeFileHandle file = File(path);
        try
        {
            Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", path);
            return status.Type == FileType.Directory ? throw new StoreException($"{path}: it is a directory, and no file")
                : new FileStream(file, FileAccess.Read, bufferSize: 0);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The whole text of what a user named as a file. Throws as <see cref="Content"/> does.</summary>
    public static string Text(string path)
    {
        using var reader = new StreamReader(Content(path));
        return reader.ReadToEnd();
    }

    /// <summary>Opens a directory, for listing and fsync(2).</summary>
    /// <exception cref="LinuxException">The path cannot be opened, or is no directory.</exception>
    public static SafeFileHandle Directory(string path) => File(path, OpenFlags.Directory);

    /// <summary>Makes a directory and those that are missing above it, each durably.</summary>
    /// <exception cref="LinuxException">One of them cannot be made.</exception>
    public static void MakeDirectories(string path)
    {
        CurrentDirectory.RequireFor(path);
        byte[] bytes = ByteText.FromArgument(path);
        for (int end = 1; end <= bytes.Length; end++)
        {
            if (end < bytes.Length && (bytes[end] != (byte)'/' || bytes[end - 1] == (byte)'/'))
            {
                continue;
            }

            Errno errno = Sys.MakeDirectory(Sys.WorkingDirectory, bytes.AsSpan(0, end), FileModes.PublicDirectory);
            if (errno == Errno.None)
            {
                string above = ByteText.ToArgument([.. bytes.AsSpan(0, bytes.AsSpan(0, end).LastIndexOf((byte)'/') + 1), (byte)'.']);
                using SafeFileHandle directory = Directory(above);
                Sys.Sync(directory).ThrowIfFailed("fsync", above);
            }
            else if (errno != Errno.EEXIST)
            {
                errno.ThrowIfFailed("mkdirat", ByteText.ToArgument(bytes.AsSpan(0, end)));
            }
        }
    }

    /// <summary>Starts a file that will have a path. If the path is a symbolic link, the link stays and its target is replaced.</summary>
    /// <param name="path">The path of the file.</param>
    /// <param name="mode">The file's permissions, which the umask reduces.</param>
    /// <exception cref="StoreException">The path exists and is no regular file.</exception>
    /// <exception cref="LinuxException">The file cannot be made.</exception>
    public static DurableFile ToReplace(string path, uint mode)
    {
        (SafeFileHandle directory, byte[] name) = Place(path);
        try
        {
            // Renaming a file over a device would take the device from every program.
            FileStatus status = default;
            if (name.Length == 0 || (Sys.Stat(directory, name, out status) == Errno.None && status.Type != FileType.Regular))
            {
                throw new StoreException($"{path}: not a regular file; give the file to write");
            }

            return DurableFile.Create(directory, name, mode, path, ownsDirectory: true);
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    /// <summary>Writes a small file with exactly that mode, durably: at each moment there is the old file or the new one.</summary>
    /// <exception cref="StoreException">The path exists and is no regular file.</exception>
    /// <exception cref="LinuxException">The file cannot be made.</exception>
    public static void Replace(string path, ReadOnlySpan<byte> bytes, uint mode)
    {
        using DurableFile file = ToReplace(path, mode);
        file.SetMode(mode);
        file.Append(bytes);
        file.Complete();
    }

    /// <summary>The directory and the name that a path means, after symbolic links, including links to a missing file.</summary>
    private static (SafeFileHandle Directory, byte[] Name) Place(string path)
    {
        CurrentDirectory.RequireFor(path);
        byte[] place = ByteText.FromArgument(path);
        Span<byte> target = stackalloc byte[LongestLink];
        for (int links = 0; links < MostLinks; links++)
        {
            int slash = place.AsSpan().LastIndexOf((byte)'/');
            byte[] folder = [.. place.AsSpan(0, slash + 1), (byte)'.'], name = place[(slash + 1)..];
            string subject = slash < 0 ? path : ByteText.Quote(place.AsSpan(0, Math.Max(slash, 1)));
            Sys.Open(Sys.WorkingDirectory, folder, OpenFlags.Directory, out SafeFileHandle directory).ThrowIfFailed("openat", subject);
            if (name.Length == 0 || Sys.ReadLink(directory, name, target, out int length) != Errno.None)
            {
                return (directory, name);
            }

            directory.Dispose();
            place = target[0] == (byte)'/' ? target[..length].ToArray() : [.. place.AsSpan(0, slash + 1), .. target[..length]];
        }

        throw new LinuxException(Errno.ELOOP, "readlinkat", path);
    }
}
