using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// What a new root of a commit takes on the disk, at most: an inode and a block for each directory and symbolic link, the names in them, and copies
/// of the files below /etc. All other files are hardlinks.
/// </summary>
/// <param name="Bytes">The bytes.</param>
/// <param name="Inodes">The inodes.</param>
public sealed record RootSpace(long Bytes, long Inodes)
{
    private const long Block = 4096;

    // An entry of ext4: 8 bytes and the name, up to a multiple of 4. A directory's blocks are not always full.
    private const long NameLength = 64;

    /// <summary>Counts what a root of a commit takes. Throws <see cref="StoreException"/> if it is to be an image, and the kernel cannot mount that.</summary>
    /// <param name="store">The store.</param>
    /// <param name="digest">The commit.</param>
    /// <param name="imageFor">The kernel that will boot the root, if the root is an image; otherwise null.</param>
    internal static RootSpace Of(ObjectStore store, Digest digest, string? imageFor)
    {
        long bytes = Block, inodes = 1;
        bool isImage = imageFor is not null;
        if (isImage)
        {
            const int Folders = 5, Files = 8;
            bytes += RootImage.SizeOf(store, digest, imageFor!) + ((Folders + Files) * Block);
            inodes += Folders + Files;
        }

        TreeWalk.Visit(store.Packs, store.Packs.ReadCommit(digest).Tree, (path, in entry) =>
        {
            if (isImage && !ImageRootDirectory.Has(path.Bytes))
            {
                return false;
            }

            bool isCopied = entry.Kind == EntryKind.Regular && path.Bytes.StartsWith("etc/"u8);
            if (isCopied || entry.Kind != EntryKind.Regular)
            {
                inodes++;
                bytes += isCopied ? (entry.Size + Block - 1) / Block * Block : Block;
            }

            bytes += NameLength;
            return true;
        });
        return new RootSpace(bytes, inodes);
    }

    /// <summary>Throws <see cref="StoreException"/>, with what is short, if the filesystem of that directory has no room for the root.</summary>
    /// <param name="physical">The directory.</param>
    /// <param name="revision">The commit as the user named it.</param>
    /// <param name="initrd">What making its initrd takes; null if it has one.</param>
    internal void Require(string physical, string revision, RootSpace? initrd)
    {
        string subject = $"{physical}: a root of {revision}{(initrd is null ? "" : ", and the making of its initrd,")}";
        (long bytes, long inodes) = (Bytes + (initrd?.Bytes ?? 0), Inodes + (initrd?.Inodes ?? 0));
        using SafeFileHandle folder = OpenPath.Directory(physical);
        Sys.FreeSpaceOf(folder, out FreeSpace free).ThrowIfFailed("fstatfs", physical);
        if (free.Bytes < bytes)
        {
            string message = $"{subject} takes {InMegabytes(bytes)} MB, and {InMegabytes(free.Bytes)} MB are free";
            throw new StoreException(message, new Remedy.FreeSpace());
        }

        if (free.Inodes < inodes)
        {
            throw new StoreException($"{subject} takes {inodes} inodes, and {free.Inodes} are free", new Remedy.FreeSpace());
        }
    }

    /// <summary>Bytes as messages about space have them: whole megabytes, rounded up.</summary>
    internal static long InMegabytes(long bytes) => (bytes + 999_999) / 1_000_000;
}
