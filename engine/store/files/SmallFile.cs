using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Reads the small files of a store: refs, logs, records.</summary>
internal static class SmallFile
{
    /// <summary>The longest file in bytes, unless a caller says otherwise.</summary>
    internal const int MaxLength = 1024 * 1024;

    /// <summary>
    /// Reads a whole small file; null if there is none, as there is none whose name is longer than any. Does not follow a symbolic link. Throws
    /// <see cref="CorruptException"/> if the file is too long, or if something else than a regular file has the name.
    /// </summary>
    /// <param name="directory">The directory that the name is relative to.</param>
    /// <param name="name">The file's name.</param>
    /// <param name="subject">The file's path, for messages.</param>
    /// <param name="maxLength">The longest file in bytes.</param>
    /// <param name="mayBeDirectory">Whether a directory of that name is in order, and means that there is no file.</param>
    /// <param name="remedy">What to do about something else than a regular file; null to have it moved away.</param>
    internal static byte[]? TryRead(
        SafeFileHandle directory, ReadOnlySpan<byte> name, string subject, int maxLength = MaxLength, bool mayBeDirectory = false, Remedy? remedy = null)
    {
        Errno errno = Sys.OpenBeneath(directory, name, OpenFlags.ReadOnly | OpenFlags.NonBlocking, out SafeFileHandle file);
        if (errno is Errno.ENOENT or Errno.ENOTDIR or Errno.ENAMETOOLONG)
        {
            return null;
        }

        using (file)
        {
            if (errno != Errno.None)
            {
                throw Unopened(errno, directory, name, subject, remedy);
            }

            Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", subject);
            if (status.Type != FileType.Regular)
            {
                return mayBeDirectory && status.Type == FileType.Directory ? null : throw StoreFile.Foreign(subject, status.Type, remedy);
            }

            if (status.Size > maxLength)
            {
                throw new CorruptException(subject, "not a small file", new Remedy.CheckStore());
            }

            byte[] bytes = new byte[status.Size];
            Sys.ReadAt(file, bytes, 0, out int count).ThrowIfFailed("pread", subject);
            return bytes[..count];
        }
    }

    /// <summary>
    /// The error for a file that cannot be opened. Each other kind of file has an errno of its own. A symbolic link may also stand in the place of a
    /// directory above the file.
    /// </summary>
    private static Exception Unopened(Errno errno, SafeFileHandle directory, ReadOnlySpan<byte> name, string subject, Remedy? remedy)
    {
        bool isOther = !errno.IsShortage()
            && Sys.Stat(directory, name, out FileStatus status) == Errno.None
            && status.Type is not (FileType.Regular or FileType.Directory);
        return isOther ? StoreFile.Foreign(subject, FileType.Unknown, remedy)
            : errno == Errno.ELOOP ? new CorruptException(subject, LinuxException.Describe(errno), new Remedy.CheckStore())
            : new LinuxException(errno, "openat2", subject);
    }
}
