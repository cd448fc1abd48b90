using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Reads the small files of a store: refs, logs, records.</summary>
internal static class SmallFile
{
    /// <summary>The longest file in bytes, unless a caller says otherwise.</summary>
    internal const int MaxLength = 1024 * 1024;

    /// <summary>
    /// Reads a whole small file; null if there is none, as there is none whose name is longer than any. Does not follow a symbolic link.
    /// </summary>
    internal static byte[]? TryRead(SafeFileHandle directory, ReadOnlySpan<byte> name, string subject, int maxLength = MaxLength)
    {
        Errno errno = Sys.OpenBeneath(directory, name, OpenFlags.ReadOnly | OpenFlags.NonBlocking, out SafeFileHandle file);
        if (errno is Errno.ENOENT or Errno.ENOTDIR or Errno.ENAMETOOLONG)
        {
            return null;
        }

        errno.ThrowIfFailed("openat2", subject);
        using (file)
        {
            Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", subject);
            if (status.Type != FileType.Regular || status.Size > maxLength)
            {
                return status.Type == FileType.Directory ? null : throw new CorruptException(subject, "not a small file", new Remedy.CheckStore());
            }

            byte[] bytes = new byte[status.Size];
            Sys.ReadAt(file, bytes, 0, out int count).ThrowIfFailed("pread", subject);
            return bytes[..count];
        }
    }
}
