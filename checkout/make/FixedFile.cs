using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Tells why a name cannot be changed or removed though permissions allow it: the file, or the directory that the name is in, is immutable or
/// append-only.
/// </summary>
internal static class FixedFile
{
    /// <summary>The reason; null if it is another one.</summary>
    /// <param name="directory">The directory.</param>
    /// <param name="name">The name in the directory.</param>
    /// <param name="path">The path of the name, for messages.</param>
    internal static StoreException? Find(SafeFileHandle directory, ReadOnlySpan<byte> name, string path) =>
        (Sys.Stat(directory, name, out FileStatus file) == Errno.None ? Reason(file, path) : null)
        ?? (Sys.Stat(directory, out FileStatus above) == Errno.None ? Reason(above, Path.GetDirectoryName(path)!) : null);

    /// <summary>The reason, for the file at a path; null if it is another one.</summary>
    internal static StoreException? Find(string path)
    {
        byte[] folder = ByteText.FromArgument(Path.GetDirectoryName(path)!);
        Errno errno = Sys.Open(Sys.WorkingDirectory, folder, OpenFlags.Path | OpenFlags.Directory, out SafeFileHandle above);
        using (above)
        {
            return errno == Errno.None ? Find(above, ByteText.FromArgument(Path.GetFileName(path)), path) : null;
        }
    }

    /// <summary>
    /// The reason for the first such file or directory in the tree at a path, which keeps the tree from being removed; null if there is none.
    /// </summary>
    internal static StoreException? FindIn(string path)
    {
        var reader = new DirectoryReader();
        var left = new Stack<byte[]>([ByteText.FromArgument(path)]);
        while (left.TryPop(out byte[]? place))
        {
            if (Sys.Stat(Sys.WorkingDirectory, place, out FileStatus status) == Errno.None && Reason(status, ByteText.Quote(place)) is { } reason)
            {
                return reason;
            }

            const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow;
            if (status.Type == FileType.Directory && Sys.Open(Sys.WorkingDirectory, place, flags, out SafeFileHandle directory) == Errno.None)
            {
                using (directory)
                {
                    for (reader.Start(directory, path); reader.Next();)
                    {
                        left.Push([.. place, (byte)'/', .. reader.Name]);
                    }
                }
            }
        }

        return null;
    }

    private static StoreException? Reason(in FileStatus status, string path) =>
        status.IsImmutable ? new StoreException($"{path}: it is immutable", new Remedy.ClearAttribute('i', path))
        : status.IsAppendOnly ? new StoreException($"{path}: it is append-only", new Remedy.ClearAttribute('a', path))
        : null;
}
