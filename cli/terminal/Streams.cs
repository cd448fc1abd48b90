using HackTree.Linux;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Cli;

/// <summary>Archives come from a file or a pipe.</summary>
internal static class Streams
{
    /// <summary>Opens a file for reading from front to back; - is standard input.</summary>
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

        // A closed one was replaced by a directory when the program started.
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
