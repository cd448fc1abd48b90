using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// A root that is an image: whatever the size of its commit, its directory has an image of all names, what <see cref="ImageRootDirectory"/> says, and
/// for each kernel the modules that mounting takes, in usr/lib/modules/VERSION/hacktree/. The boot script mounts the image over the store's files/.
/// </summary>
public static class RootImage
{
    /// <summary>The name of the image in the root's directory.</summary>
    public const string FileName = "hacktree.erofs";

    private const string Modules = "usr/lib/modules";
    private const OpenFlags NewFile = OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow;

    /// <summary>Whether the directory of a root is that of an image.</summary>
    public static bool Is(string root) => File.Exists(Path.Combine(root, FileName));

    /// <summary>
    /// What the image and the modules take on the disk, in bytes. Throws <see cref="StoreException"/> if that kernel of the commit cannot mount an image.
    /// </summary>
    public static long SizeOf(ObjectStore store, Digest commit, string kernel)
    {
        Commit read = store.Packs.ReadCommit(commit);
        BootModules.Require(store, read, kernel);
        return CommitImage.Make(store, commit, ImagePaths.Boot, receive: null).Length
            + BootModules.KernelsOf(store, read).SelectMany(kernel => BootModules.Of(store, read, kernel)).Sum(module => (long)module.Content.Length);
    }

    /// <summary>Writes the image and the modules into a tree that has the directories of an image root.</summary>
    internal static void Make(ObjectStore store, Digest commit, in WholeTree tree)
    {
        WriteImage(store, commit, tree);
        Commit read = store.Packs.ReadCommit(commit);
        foreach (string kernel in BootModules.KernelsOf(store, read))
        {
            string folder = $"{Modules}/{kernel}/hacktree";
            MakeDirectories(tree, folder);
            foreach (BootModule module in BootModules.Of(store, read, kernel))
            {
                string path = $"{folder}/{module.Name}";
                using SafeFileHandle file = Create(tree, path, FileModes.PublicFile);
                Sys.WriteAt(file, module.Content, 0).ThrowIfFailed("pwrite", $"{tree.Subject}/{path}");
            }
        }
    }

    /// <summary>Whether the image in a root's directory is still that of the commit.</summary>
    internal static bool IsRight(ObjectStore store, Digest commit, SafeFileHandle top, string subject)
    {
        Errno errno = Sys.Open(top, ByteText.FromArgument(FileName), OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking, out SafeFileHandle file);
        using (file)
        {
            if (errno is Errno.ENOENT or Errno.ELOOP)
            {
                return false;
            }

            errno.ThrowIfFailed("openat", $"{subject}/{FileName}");
            Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", $"{subject}/{FileName}");
            return status.Type == FileType.Regular
                && Blobs.HashFile(file, status, $"{subject}/{FileName}", store.Stop) == CommitImage.Make(store, commit, ImagePaths.Boot, receive: null).Digest;
        }
    }

    /// <summary>Makes the image of a root again, durably. The old one keeps its inode, which may be mounted.</summary>
    internal static void MakeAgain(ObjectStore store, Digest commit, in WholeTree tree)
    {
        string subject = $"{tree.Subject}/{FileName}";
        Sys.Stat(tree.Top, out FileStatus before).ThrowIfFailed("statx", tree.Subject);
        Digest digest = CommitImage.Make(store, commit, ImagePaths.Boot, receive: null).Digest;
        if (!TryShare(store, commit, digest, tree))
        {
            using (DurableFile file = DurableFile.Create(tree.Top, ByteText.FromArgument(FileName), FileModes.PrivateFile, subject))
            {
                _ = CommitImage.Make(store, commit, ImagePaths.Boot, file.Append);
                file.Complete();
            }

            Freeze(store, digest, tree);
        }

        if (before.ModifyTime.Nanoseconds == 0)
        {
            // The checkout gave the directory its time. Other times are those of a change, and stay behind it.
            Sys.SetTime(tree.Top, before.ModifyTime.Seconds).ThrowIfFailed("futimens", tree.Subject);
        }

        Sys.Sync(tree.Top).ThrowIfFailed("fsync", tree.Subject);
    }

    private static void WriteImage(ObjectStore store, Digest commit, in WholeTree tree)
    {
        string subject = $"{tree.Subject}/{FileName}";
        ImageFacts image;
        using (SafeFileHandle file = Create(tree, FileName, FileModes.PrivateFile))
        {
            long length = 0;
            image = CommitImage.Make(store, commit, ImagePaths.Boot, piece =>
            {
                Sys.WriteAt(file, piece, length).ThrowIfFailed("pwrite", subject);
                length += piece.Length;
            });
        }

        if (!TryShare(store, commit, image.Digest, tree))
        {
            Freeze(store, image.Digest, tree);
        }
    }

    private static void Freeze(ObjectStore store, Digest digest, in WholeTree tree)
    {
        Sys.Open(tree.Top, ByteText.FromArgument(FileName), OpenFlags.ReadOnly | OpenFlags.NoFollow, out SafeFileHandle written)
            .ThrowIfFailed("openat", $"{tree.Subject}/{FileName}");
        using (written)
        {
            store.Images.TryFreeze(written, digest);
        }
    }

    /// <summary>
    /// Puts the image of another root of the commit in the place of the new one, if it has the same bytes. Roots share images as they share files.
    /// </summary>
    private static bool TryShare(ObjectStore store, Digest commit, Digest digest, in WholeTree tree)
    {
        byte[] name = ByteText.FromArgument(FileName);
        foreach ((_, RootRecord other) in store.Roots.Finished())
        {
            if (other.Method != CheckoutMethod.Image || other.Commit != commit)
            {
                continue;
            }

            string path = Path.Combine(store.Roots.AbsolutePath(other), FileName);
            Errno errno = Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.ReadOnly | OpenFlags.NoFollow, out SafeFileHandle file);
            using (file)
            {
                if (errno == Errno.None
                    && Sys.Stat(file, out FileStatus status) == Errno.None && status.Type == FileType.Regular
                    && HasDigest(store, file, status, path, digest)
                    && TryLink(file, tree.Top, name))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static bool HasDigest(ObjectStore store, SafeFileHandle file, in FileStatus status, string path, Digest digest)
    {
        try
        {
            return Blobs.HashFile(file, status, path, store.Stop) == digest;
        }
        catch (LinuxException e) when (e.Errno == Errno.EIO)
        {
            // An image that cannot be read is not shared.
            return false;
        }
    }

    private static bool TryLink(SafeFileHandle file, SafeFileHandle top, byte[] name)
    {
        byte[] temporary = TemporaryName.New();
        if (Sys.LinkOpenFile(file, top, temporary) != Errno.None)
        {
            return false;
        }

        bool isRenamed = Sys.Rename(top, temporary, top, name) == Errno.None;
        if (!isRenamed)
        {
            _ = Sys.Unlink(top, temporary);
        }

        return isRenamed;
    }

    private static SafeFileHandle Create(in WholeTree tree, string path, uint mode)
    {
        Sys.Open(tree.Top, ByteText.FromArgument(path), NewFile, out SafeFileHandle file, mode).ThrowIfFailed("openat", $"{tree.Subject}/{path}");
        return file;
    }

    private static void MakeDirectories(in WholeTree tree, string path)
    {
        for (int slash = path.IndexOf('/', StringComparison.Ordinal); ; slash = path.IndexOf('/', slash + 1))
        {
            string above = slash < 0 ? path : path[..slash];
            Errno made = Sys.MakeDirectory(tree.Top, ByteText.FromArgument(above), FileModes.PublicDirectory);
            if (made != Errno.EEXIST)
            {
                made.ThrowIfFailed("mkdirat", $"{tree.Subject}/{above}");
            }

            if (slash < 0)
            {
                return;
            }
        }
    }
}
