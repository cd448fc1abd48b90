using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>Makes a file of its own with the content of an object, for roots that will be written to.</summary>
internal static class FileCopy
{
    private const OpenFlags CreateNew = OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow;

    /// <summary>Makes the file of a tree's entry. <paramref name="place"/> is the file and its commit, for messages.</summary>
    internal static void Make(
        ObjectStore store, CheckoutMethod method, in TreeEntry entry, SafeFileHandle directory, ReadOnlySpan<byte> name, object place)
    {
        Sys.Open(directory, name, CreateNew, out SafeFileHandle file, FileModes.PrivateFile).ThrowIfFailed("openat", place);
        using (file)
        {
            if (method == CheckoutMethod.Reflink)
            {
                Reflink(store, entry, file, place);
            }
            else
            {
                store.Blobs.Copy(entry, file, place);
            }

            FileMetadata metadata = store.Format.ObjectMetadata(entry.Metadata);
            ObjectInode.SetMetadata(store.Format, file, metadata, store.Format.ObjectXattrs(entry.Xattrs), place);
        }
    }

    private static void Reflink(ObjectStore store, in TreeEntry entry, SafeFileHandle file, object place)
    {
        Errno errno = store.Blobs.TryClone(entry, file, place);
        if (errno is Errno.EOPNOTSUPP or Errno.ENOTTY or Errno.EXDEV or Errno.EINVAL)
        {
            throw new StoreException(
                $"{place}: this filesystem cannot share extents with the store; use --copy, or a store and root on one XFS or btrfs");
        }

        errno.ThrowIfFailed("ioctl FICLONE", place);
    }
}
