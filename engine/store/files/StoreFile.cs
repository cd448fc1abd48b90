using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Opens files of the store. Each of them is a regular file. A fifo, a device, a socket, a directory or a symbolic link in its place is
/// refused at once: opening a fifo would wait for its other end.
/// </summary>
internal static class StoreFile
{
    /// <summary>What is wrong with a name that cannot be opened because of <see cref="Errno.ENXIO"/>.</summary>
    internal const string NotRegular = "it is not a regular file";

    /// <summary>The error for something that has the name of a file of the store and is no regular file.</summary>
    /// <param name="subject">The path.</param>
    /// <param name="type">What is there.</param>
    /// <param name="remedy">What to do; null to have it moved away.</param>
    internal static CorruptException Foreign(string subject, FileType type, Remedy? remedy = null) =>
        new(subject, NotRegular, remedy ?? new Remedy.MoveAway(subject, IsDirectory: type == FileType.Directory));

    /// <summary>Opens a file, or answers why it cannot be opened: <see cref="Errno.ENXIO"/> if something else than a regular file has the name.</summary>
    internal static Errno TryOpen(
        SafeFileHandle directory, ReadOnlySpan<byte> name, OpenFlags flags, out SafeFileHandle file, out FileStatus status, uint mode = 0)
    {
        status = default;
        Errno errno = Sys.Open(directory, name, flags | OpenFlags.NoFollow | OpenFlags.NonBlocking, out file, mode);
        if (errno == Errno.ENOENT || errno.IsShortage())
        {
            return errno;
        }

        // A name that cannot be opened is looked at, because each other kind of file has an errno of its own, and devices have several.
        bool isOpen = errno == Errno.None;
        Errno looked = isOpen ? Sys.Stat(file, out status) : Sys.Stat(directory, name, out status);
        bool isOther = looked == Errno.None && status.Type != FileType.Regular;
        errno = isOther ? Errno.ENXIO : isOpen ? looked : errno;
        if (errno != Errno.None)
        {
            file.Dispose();
        }

        return errno;
    }

    /// <summary>
    /// Opens a file. Throws <see cref="CorruptException"/> if something else than a regular file has the name, and
    /// <see cref="LinuxException"/> if it cannot be opened, but answers that there is none.
    /// </summary>
    internal static bool Open(SafeFileHandle directory, ReadOnlySpan<byte> name, OpenFlags flags, string subject, out SafeFileHandle file, uint mode = 0)
    {
        Errno errno = TryOpen(directory, name, flags, out file, out FileStatus status, mode);
        if (errno == Errno.ENXIO)
        {
            throw Foreign(subject, status.Type);
        }

        if (errno is not (Errno.None or Errno.ENOENT))
        {
            throw new LinuxException(errno, "openat", subject);
        }

        return errno == Errno.None;
    }
}
