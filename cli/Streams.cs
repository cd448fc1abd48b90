using HackTree.Linux;
using HackTree.Model;
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
            Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.ReadOnly, out SafeFileHandle file).ThrowIfFailed("openat", path);
            Sys.AdviseSequential(file);
            return new FileStream(file, FileAccess.Read);
        }

        return Sys.IsTerminal(0)
            ? throw new UsageException("standard input is a terminal, not an archive; send one in, or give --tar FILE")
            : Console.OpenStandardInput();
    }
}
