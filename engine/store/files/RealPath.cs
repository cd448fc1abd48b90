using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Paths as the kernel tells them, in mount tables and of loop devices: absolute, with no link, "." or ".." in any part, so that two paths of
/// one place are the same. Without /proc, as in a bare chroot, links stay in them.
/// </summary>
public static class RealPath
{
    /// <summary>The one of a file or directory that is there; throws <see cref="LinuxException"/> where nothing is.</summary>
    public static string Of(string path)
    {
        Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.Path, out SafeFileHandle handle).ThrowIfFailed("openat", path);
        using (handle)
        {
            return Of(handle, path);
        }
    }

    /// <summary>The one of what was opened at <paramref name="path"/>.</summary>
    public static string Of(SafeFileHandle opened, string path)
    {
        Span<byte> target = stackalloc byte[4096];
        Errno errno = Sys.ReadLink(Sys.WorkingDirectory, ByteText.FromArgument($"/proc/self/fd/{opened.DangerousGetHandle()}"), target, out int length);
        return errno == Errno.None ? ByteText.ToArgument(target[..length]) : Lexical(path);
    }

    /// <summary>
    /// The one of a name that may be there or not, and may be a link itself. Where there is no directory for it, the path without
    /// its ".." and "." as text.
    /// </summary>
    public static string OfName(string path)
    {
        string trimmed = Path.TrimEndingDirectorySeparator(path);
        if (Path.GetFileName(trimmed) is "" or "." or "..")
        {
            return Path.Exists(trimmed) ? Of(trimmed) : Lexical(path);
        }

        string above = Path.GetDirectoryName(trimmed) is { Length: > 0 } given ? given : ".";
        return Directory.Exists(above) ? Path.Combine(Of(above), Path.GetFileName(trimmed)) : Lexical(path);
    }

    private static string Lexical(string path) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
}
