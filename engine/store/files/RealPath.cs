using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Paths in the form that the kernel uses in mount tables and for loop devices: absolute, and without symbolic links, "." and "..". Two
/// paths of one place are then equal. Without /proc, as in a bare chroot, symbolic links stay in the path.
/// </summary>
public static class RealPath
{
    /// <summary>The real path of an existing file or directory. Throws <see cref="LinuxException"/> if there is none.</summary>
    public static string Of(string path)
    {
        using SafeFileHandle handle = OpenPath.File(path, OpenFlags.Path);
        return Of(handle, path);
    }

    /// <summary>The real path of the file that was opened at <paramref name="path"/>.</summary>
    public static string Of(SafeFileHandle opened, string path)
    {
        Span<byte> target = stackalloc byte[4096];
        byte[] link = ByteText.FromArgument($"/proc/self/fd/{opened.DangerousGetHandle()}");
        Errno errno = Sys.ReadLink(Sys.WorkingDirectory, link, target, out int length);
        return errno == Errno.None ? ByteText.ToArgument(target[..length]) : Lexical(path);
    }

    /// <summary>
    /// The real path of a name, which need not exist and may itself be a symbolic link. If its directory does not exist, only "." and ".." are
    /// resolved, as text.
    /// </summary>
    public static string OfName(string path)
    {
        CurrentDirectory.RequireFor(path);
        string trimmed = Path.TrimEndingDirectorySeparator(path);
        if (Path.GetFileName(trimmed) is "" or "." or "..")
        {
            return PathStatus.Exists(trimmed) ? Of(trimmed) : Lexical(path);
        }

        string above = Path.GetDirectoryName(trimmed) is { Length: > 0 } given ? given : ".";
        return PathStatus.IsDirectory(above) ? Path.Combine(Of(above), Path.GetFileName(trimmed)) : Lexical(path);
    }

    private static string Lexical(string path) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
}
