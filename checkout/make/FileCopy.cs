using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Copies an object to a file of its own, for roots that will be written to. The copy shares extents, or is a full copy that keeps holes.
/// </summary>
internal static class FileCopy
{
    // What is copied between two looks at a request to stop: a tenth of a second of a disk.
    private const long Step = 16 * 1024 * 1024;

    private const OpenFlags CreateNew = OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow;

    internal static void Make(
        ObjectStore store,
        CheckoutMethod method,
        in TreeEntry entry,
        SafeFileHandle directory,
        ReadOnlySpan<byte> name,
        string subject,
        CancellationToken stop)
    {
        using SafeFileHandle source = store.Blobs.Open(store.Blobs.NameOf(entry));
        Sys.Stat(source, out FileStatus status).ThrowIfFailed("statx", subject);
        if (status.Size != entry.Size)
        {
            throw new CorruptException(subject, $"its object has {status.Size} bytes where the commit says {entry.Size}", new Remedy.CheckStore());
        }

        Sys.Open(directory, name, CreateNew, out SafeFileHandle file, FileModes.PrivateFile).ThrowIfFailed("openat", subject);
        using (file)
        {
            if (method == CheckoutMethod.Reflink)
            {
                Reflink(source, file, subject);
            }
            else
            {
                Copy(source, file, entry.Size, subject, stop);
            }

            FileMetadata metadata = store.Format.ObjectMetadata(entry.Metadata);
            ObjectInode.SetMetadata(store.Format, file, metadata, store.Format.ObjectXattrs(entry.Xattrs), subject);
        }
    }

    private static void Reflink(SafeFileHandle source, SafeFileHandle file, string subject)
    {
        Errno errno = Sys.Clone(source, file);
        if (errno is Errno.EOPNOTSUPP or Errno.ENOTTY or Errno.EXDEV or Errno.EINVAL)
        {
            throw new StoreException(
                $"{subject}: this filesystem cannot share extents with the store; use --copy, or a store and root on one XFS or btrfs");
        }

        errno.ThrowIfFailed("ioctl FICLONE", subject);
    }

    private static void Copy(SafeFileHandle source, SafeFileHandle file, long size, string subject, CancellationToken stop)
    {
        Sys.Truncate(file, size).ThrowIfFailed("ftruncate", subject);
        for (long offset = 0; offset < size;)
        {
            Errno errno = Sys.NextData(source, offset, out long start, out long end);
            if (errno == Errno.ENXIO)
            {
                return;
            }

            errno.ThrowIfFailed("lseek", subject);
            CopyData(source, file, start, Math.Min(end, size), subject, stop);
            offset = end;
        }
    }

    private static void CopyData(SafeFileHandle source, SafeFileHandle file, long start, long end, string subject, CancellationToken stop)
    {
        byte[]? buffer = null;
        while (start < end)
        {
            stop.ThrowIfCancellationRequested();
            Errno errno = buffer is null
                ? Sys.CopyRange(source, file, start, Math.Min(Step, end - start), out long copied)
                : CopyBuffer(source, file, buffer, start, end, out copied);
            if (buffer is null && errno is Errno.EXDEV or Errno.EOPNOTSUPP or Errno.EINVAL or Errno.ENOSYS)
            {
                // The kernel does not copy between these filesystems.
                buffer = GC.AllocateUninitializedArray<byte>(256 * 1024);
                continue;
            }

            errno.ThrowIfFailed("copy_file_range", subject);
            if (copied == 0)
            {
                throw new CorruptException(subject, "its object is shorter than the commit says", new Remedy.CheckStore());
            }

            start += copied;
        }
    }

    private static Errno CopyBuffer(SafeFileHandle source, SafeFileHandle file, byte[] buffer, long start, long end, out long copied)
    {
        Errno errno = Sys.ReadAt(source, buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - start)), start, out int count);
        copied = count;
        return errno == Errno.None ? Sys.WriteAt(file, buffer.AsSpan(0, count), start) : errno;
    }
}
