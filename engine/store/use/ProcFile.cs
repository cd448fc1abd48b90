using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>Reads what the kernel tells in /proc and /sys. Processes end meanwhile, and not everything may be read: null is the answer then.</summary>
internal static class ProcFile
{
    /// <summary>The text of a small file, without the last line end.</summary>
    internal static string? TryRead(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            // Not File.ReadAllBytes: sysfs tells 4,096 bytes for every file, and that takes a shorter one for cut off.
            using FileStream file = File.OpenRead(path);
            using var bytes = new MemoryStream();
            file.CopyTo(bytes);
            return ByteText.ToArgument(bytes.ToArray()).TrimEnd('\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The target of a link.</summary>
    internal static string? TryReadLink(string path)
    {
        Span<byte> target = stackalloc byte[4096];
        return Sys.ReadLink(Sys.WorkingDirectory, ByteText.FromArgument(path), target, out int length) == Errno.None
            ? ByteText.ToArgument(target[..length])
            : null;
    }
}
