using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Gives inodes fs-verity before they become objects, if the store's format asks for it. From then on the kernel refuses writes to them, and compares
/// all that is read with the blob digest, which is the digest of fs-verity. Thread-safe.
/// </summary>
/// <remarks>
/// The kernel writes the content and the hashes to the disk before it sets the inode's flag, and the flag becomes durable by the same syncfs(2) as the
/// object's name. So a power cut leaves an inode with fs-verity whole, or without fs-verity as it would without this class. Metadata is set afterwards:
/// fs-verity covers the content alone.
/// </remarks>
internal sealed class Frozen(VerityUse use, string path)
{
    // A child process has our descriptors between its fork and its exec.
    private const int MostTries = 1000;

    private volatile bool isUnsupported;

    /// <summary>Whether new objects are to be frozen.</summary>
    internal bool IsWanted => use == VerityUse.Required || (use == VerityUse.Auto && !isUnsupported);

    /// <summary>
    /// Freezes a file that this process wrote. Closes the descriptor that it was written by, because the kernel allows none, and returns one for reading.
    /// Null if that cannot be opened, because /proc is not mounted. Throws <see cref="StoreException"/> if the store requires fs-verity and there is none.
    /// </summary>
    internal SafeFileHandle? Freeze(SafeFileHandle written)
    {
        Errno opened = Sys.Reopen(written, OpenFlags.ReadOnly, out SafeFileHandle file);
        if (opened == Errno.ENOENT)
        {
            isUnsupported = true;
            return use == VerityUse.Auto ? null
                : throw new StoreException($"{path}: the store requires fs-verity, and to set that needs /proc, which is not mounted");
        }

        opened.ThrowIfFailed("openat", path);
        try
        {
            written.Dispose();
            Errno errno = Sys.EnableVerity(file);
            for (int tries = 1; errno == Errno.ETXTBSY && tries < MostTries; tries++)
            {
                Thread.Sleep(1);
                errno = Sys.EnableVerity(file);
            }

            Judge(errno);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Freezes a file that others may have written to. False if it is open for writing, or its content is not <paramref name="digest"/>'s: then somebody
    /// wrote to it since it was read.
    /// </summary>
    internal bool TryFreeze(SafeFileHandle file, Digest digest)
    {
        Errno errno = IsWanted ? Sys.EnableVerity(file) : Errno.EOPNOTSUPP;
        if (errno == Errno.ETXTBSY)
        {
            return false;
        }

        if (errno is Errno.None or Errno.EEXIST)
        {
            return IsMeasured(file, digest);
        }

        if (IsWanted)
        {
            Judge(errno);
        }

        return true;
    }

    /// <summary>Whether the kernel compares all that is read of a file with this digest.</summary>
    internal static bool IsMeasured(SafeFileHandle file, Digest digest)
    {
        Span<byte> measured = stackalloc byte[Digest.Size];
        return Sys.TryMeasureVerity(file, measured) && new Digest(measured) == digest;
    }

    /// <summary>Whether files of a directory's filesystem can have fs-verity, by a try.</summary>
    internal static bool IsPossible(SafeFileHandle directory, string subject)
    {
        Errno errno = Sys.Open(directory, "."u8, OpenFlags.Temporary | OpenFlags.ReadWrite, out SafeFileHandle written, FileModes.PrivateFile);
        using (written)
        {
            errno.ThrowIfFailed("openat", subject);
            errno = Sys.Reopen(written, OpenFlags.ReadOnly, out SafeFileHandle file);
            using (file)
            {
                written.Dispose();
                return errno == Errno.None && Sys.EnableVerity(file) == Errno.None;
            }
        }
    }

    /// <summary>The refusal of a filesystem that has no fs-verity.</summary>
    internal static StoreException Refusal(string path) =>
        new($"{path}: the store requires fs-verity, and this filesystem has none; ext4 has it after `tune2fs -O verity DISK`, if the kernel has it");

    private void Judge(Errno errno)
    {
        // Of this filesystem, of filesystems of its type, with pages that are larger than the blocks, where the kernel wants a signature.
        if (errno is Errno.EOPNOTSUPP or Errno.ENOTTY or Errno.EINVAL or Errno.EPERM)
        {
            isUnsupported = true;
            if (use == VerityUse.Required)
            {
                throw Refusal(path);
            }

            return;
        }

        errno.ThrowIfFailed("FS_IOC_ENABLE_VERITY", path);
    }
}
