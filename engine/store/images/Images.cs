using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// The images that commits are mounted from, <c>images/COMMIT.DIGEST</c> (FORMAT.md, section 7). The directory is made with the first. An image
/// can be made again at any time. While one is mounted, its commit is kept, because the mount has the commit's objects.
/// </summary>
public sealed class Images
{
    internal const string Room = "images";

    private readonly ObjectStore store;
    private readonly SafeFileHandle top;
    private readonly LateRoom room;

    internal Images(ObjectStore store, SafeFileHandle top)
    {
        this.store = store;
        this.top = top;

        // An image has short files and the names in directories that not everybody may enter.
        room = new LateRoom(store, top, Room, FileModes.OwnerOnly);
    }

    /// <summary>The image of a commit, open for reading; made by <paramref name="make"/> if there is none.</summary>
    /// <param name="commit">The commit.</param>
    /// <param name="make">Writes the image and answers its digest.</param>
    /// <param name="image">The image.</param>
    public SafeFileHandle OpenOrMake(Digest commit, Func<ContentWriter, Digest> make, out StoredImage image)
    {
        using SafeFileHandle directory = room.Make();
        GiveToOwner(directory);
        image = List().Find(stored => stored.Commit == commit);
        bool isNew = image.Commit.IsNone;
        if (isNew)
        {
            using DurableFile file = DurableFile.Create(directory, ByteText.FromArgument($"{commit}"), FileModes.PrivateFile, $"{room.Path}/{commit}");
            GiveToOwner(file.Handle);
            image = new StoredImage(commit, make(file.Append));
            file.CompleteAs(ByteText.FromArgument(image.FileName));
        }

        SafeFileHandle opened = TryOpen(directory, image) ?? throw new LinuxException(Errno.ENOENT, "openat", $"{store.Path}/{image.Path}");
        if (isNew)
        {
            TryFreeze(opened, image.Digest);
        }

        return opened;
    }

    /// <summary>
    /// Gives an image fs-verity if the store's objects have it. An image needs it no more than they do; one that cannot get it is read before a mount
    /// that requires it.
    /// </summary>
    /// <param name="image">The image, open for reading only.</param>
    /// <param name="digest">Its digest.</param>
    public void TryFreeze(SafeFileHandle image, Digest digest) => _ = new Frozen(store.Format.Verity, room.Path).TryFreeze(image, digest);

    /// <summary>The images. <paramref name="strangers"/> gets the names that are none of an image.</summary>
    internal List<StoredImage> List(List<byte[]>? strangers = null) => room.List<StoredImage>(StoredImage.TryParse, strangers);

    /// <summary>
    /// The images that something has open: a mount in any namespace, or a process. An image of which that cannot be told counts.
    /// </summary>
    internal IEnumerable<StoredImage> Used()
    {
        using SafeFileHandle? directory = room.TryOpen();
        foreach (StoredImage image in directory is null ? [] : List())
        {
            using SafeFileHandle? file = TryOpen(directory!, image);
            if (file is not null && Sys.IsOpenAlone(file) != Errno.None)
            {
                yield return image;
            }
        }
    }

    /// <summary>The size of an image; 0 if it is gone.</summary>
    internal long LengthOf(StoredImage image)
    {
        using SafeFileHandle? directory = room.TryOpen();
        return directory is not null && Sys.Stat(directory, ByteText.FromArgument(image.FileName), out FileStatus status) == Errno.None ? status.Size : 0;
    }

    /// <summary>Whether an image's bytes are those that its name tells. Throws <see cref="LinuxException"/> if it cannot be read.</summary>
    internal bool IsRight(StoredImage image)
    {
        using SafeFileHandle? directory = room.TryOpen();
        using SafeFileHandle? file = directory is null ? null : TryOpen(directory, image);
        string path = $"{store.Path}/{image.Path}";
        if (file is null)
        {
            return true;
        }

        Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", path);
        return Blobs.HashFile(file, status, path) == image.Digest;
    }

    /// <summary>
    /// Throws <see cref="CorruptException"/> if an image's bytes are not those that its name tells. An image with fs-verity is not read: the kernel has
    /// its digest, and compares what is read of it later.
    /// </summary>
    /// <param name="image">The image.</param>
    /// <param name="file">The image, open.</param>
    public void RequireRight(StoredImage image, SafeFileHandle file)
    {
        if (!Frozen.IsMeasured(file, image.Digest) && !IsRight(image))
        {
            throw new CorruptException($"{store.Path}/{image.Path}", "its bytes are not those that its name says", new Remedy.CheckStore());
        }
    }

    /// <summary>Removes an image. A mount keeps the inode.</summary>
    internal Errno Remove(StoredImage image) => room.Remove(ByteText.FromArgument(image.FileName));

    /// <summary>Only root can mount, and root may do so with a user's store. What is made belongs to the user, who must be able to remove it.</summary>
    private void GiveToOwner(SafeFileHandle made)
    {
        Sys.Stat(top, out FileStatus owned).ThrowIfFailed("statx", store.Path);
        Sys.Stat(made, out FileStatus status).ThrowIfFailed("statx", room.Path);
        if (status.Uid != owned.Uid)
        {
            Sys.SetOwner(made, owned.Uid, owned.Gid).ThrowIfFailed("fchown", room.Path);
        }
    }

    private SafeFileHandle? TryOpen(SafeFileHandle directory, StoredImage image)
    {
        Errno errno = Sys.Open(directory, ByteText.FromArgument(image.FileName), OpenFlags.ReadOnly | OpenFlags.NoFollow, out SafeFileHandle file);
        if (errno == Errno.ENOENT)
        {
            return null;
        }

        errno.ThrowIfFailed("openat", $"{store.Path}/{image.Path}");
        return file;
    }
}
