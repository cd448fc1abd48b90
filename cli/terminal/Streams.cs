using HackTree.Linux;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Cli;

/// <summary>Opens an archive, which comes from a file or from standard input.</summary>
internal static class Streams
{
    /// <summary>Opens a file for reading from front to back. The path - means standard input.</summary>
    internal static Stream OpenInput(string path)
    {
        if (path != "-")
        {
            SafeFileHandle file = OpenPath.File(path);
            if (IsDirectory(file))
            {
                file.Dispose();
                throw new StoreException($"{path}: it is a directory, not an archive; give it without --tar");
            }

            Sys.AdviseSequential(file);
            return new InputStream(file, path);
        }

        // If standard input was closed when the program started, it is a directory now.
        var input = new SafeFileHandle(0, ownsHandle: false);
        if (IsDirectory(input))
        {
            throw new StoreException("standard input: it is closed or a directory; send an archive in, or give --tar FILE");
        }

        return Sys.IsTerminal(0)
            ? throw new UsageException("standard input is a terminal, not an archive; send one in, or give --tar FILE")
            : new InputStream(input, "standard input");
    }

    private static bool IsDirectory(SafeFileHandle file) => Sys.Stat(file, out FileStatus status) == Errno.None && status.Type == FileType.Directory;
}
