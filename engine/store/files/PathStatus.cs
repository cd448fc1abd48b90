using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// What is at the paths that a command line names. File.Exists and its like look at another name if a byte of the path is not UTF-8.
/// </summary>
public static class PathStatus
{
    /// <summary>What is there, at the end of symbolic links; a link that leads nowhere itself. Null if nothing is there, or if it cannot be seen.</summary>
    public static FileStatus? Find(string path)
    {
        byte[] name = ByteText.FromArgument(path);
        Errno errno = Sys.Open(Sys.WorkingDirectory, name, OpenFlags.Path, out SafeFileHandle place);
        using (place)
        {
            errno = errno == Errno.None ? Sys.Stat(place, out FileStatus status) : Sys.Stat(Sys.WorkingDirectory, name, out status);
            return errno == Errno.None ? status : null;
        }
    }

    /// <summary>Whether something is there.</summary>
    public static bool Exists(string path) => Find(path) is not null;

    /// <summary>Whether something is there that is no directory.</summary>
    public static bool IsFile(string path) => Find(path) is { Type: not FileType.Directory };

    /// <summary>Whether a directory is there.</summary>
    public static bool IsDirectory(string path) => Find(path) is { Type: FileType.Directory };

    /// <summary>Throws <see cref="StoreException"/> if a path is not UTF-8, for use where it becomes part of a text.</summary>
    /// <param name="path">The path, or a text with a path in it.</param>
    /// <param name="reason">Why it must be text, as a clause: "because its record holds it".</param>
    public static void RequireText(string path, string reason)
    {
        byte[] bytes = ByteText.FromArgument(path);
        if (!ByteText.IsUtf8(bytes))
        {
            throw new StoreException($"{ByteText.Quote(bytes)}: it must be UTF-8 text, {reason}");
        }
    }
}
