using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Opens what a path of the command line names.</summary>
public static class OpenPath
{
    private const int MostLinks = 40;
    private const int LongestLink = 4096;

    /// <summary>Opens a file.</summary>
    /// <exception cref="LinuxException">It cannot be opened.</exception>
    public static SafeFileHandle File(string path, OpenFlags flags = OpenFlags.ReadOnly)
    {
        Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), flags, out SafeFileHandle file).ThrowIfFailed("openat", path);
        return file;
    }

    /// <summary>Opens a directory, for listing and fsync(2).</summary>
    /// <exception cref="LinuxException">It cannot be opened, or is none.</exception>
    public static SafeFileHandle Directory(string path) => File(path, OpenFlags.Directory);

    /// <summary>Starts a file that will stand at a path. A symbolic link there stays: what it leads to is replaced.</summary>
    /// <param name="path">Where the file will stand.</param>
    /// <param name="mode">Its permissions, as far as the umask allows.</param>
    /// <exception cref="StoreException">Something that is no regular file has the place.</exception>
    /// <exception cref="LinuxException">The file cannot be made.</exception>
    public static DurableFile ToReplace(string path, uint mode)
    {
        (SafeFileHandle directory, byte[] name) = Place(path);
        try
        {
            // To rename over a device would take it from everybody.
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

    /// <summary>The directory of a path and the name in it, behind symbolic links, also those that lead to nothing yet.</summary>
    private static (SafeFileHandle Directory, byte[] Name) Place(string path)
    {
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
