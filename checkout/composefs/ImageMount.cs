using System.Globalization;
using System.Text;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>How a commit is mounted.</summary>
public sealed class ImageMountOptions
{
    /// <summary>The directory that gets what is written to the mount; null for a mount that nobody can write to.</summary>
    public string? Changes { get; init; }

    /// <summary>Whether the kernel must compare each file's content with the digest in the image (fs-verity).</summary>
    public bool Verity { get; init; }
}

/// <summary>A commit that was mounted.</summary>
/// <param name="Path">The real path of the mount.</param>
/// <param name="Image">The image.</param>
/// <param name="IsLoop">Whether the image is on a loop device, because this kernel cannot mount files.</param>
public readonly record struct MountedImage(string Path, StoredImage Image, bool IsLoop);

/// <summary>
/// Mounts commits: an EROFS image with all names and metadata, and below it, as data layer of an overlay, the store's files/, in which the
/// image's files find their content. The time does not depend on the commit's size, once its image is made.
/// </summary>
/// <remarks>
/// Steps: the image is mounted at the directory, the overlay is made of it, the image's mount is detached, and the overlay takes its place. A
/// process that is killed between leaves the directory with an image without content, or as it was. The overlay keeps the image open,
/// and that is how gc knows that it is mounted. Nothing else is recorded.
/// </remarks>
public static class ImageMount
{
    // What the mount table calls the source of such a mount, before the commit.
    private const string Source = "hacktree:";

    /// <summary>Mounts a commit on an existing directory. Throws <see cref="StoreException"/> with what this kernel lacks.</summary>
    public static MountedImage Make(ObjectStore store, Digest commit, string path, ImageMountOptions options)
    {
        if (!Sys.IsRoot)
        {
            throw new StoreException("only root can mount");
        }

        using SafeFileHandle directory = OpenPath.Directory(path);
        string real = RealPath.Of(directory, path);
        if (store.Holds(directory))
        {
            throw new StoreException($"{path}: this is the store, over which nothing can be mounted");
        }

        if (Roots.IsBelow(RealPath.Of(store.Path), real))
        {
            throw new StoreException($"{path}: the store {store.Path} is in this directory, and a mount would hide it");
        }

        ChangesPlace? changes = options.Changes is null ? null : ChangesPlace.Open(store, commit, options.Changes, real);
        using (changes)
        using (SafeFileHandle file = store.Images.OpenOrMake(commit, write => MakeImage(store, commit, write), out StoredImage image))
        {
            if (options.Verity)
            {
                store.Images.RequireRight(image, file);
            }

            using SafeFileHandle lower = MountImage(file, $"{store.Path}/{image.Path}", out bool isLoop);
            using SafeFileHandle overlay = MakeOverlay(store, image, directory, lower, real, changes, options.Verity);
            Sys.AttachMount(overlay, directory).ThrowIfFailed("move_mount", real);
            return new MountedImage(real, image, isLoop);
        }
    }

    private static Digest MakeImage(ObjectStore store, Digest commit, ContentWriter write) => CommitImage.Make(store, commit, ImagePaths.Objects, write).Digest;

    /// <summary>Ends a mount of <see cref="Make"/>. Throws <see cref="StoreException"/> if there is none at the path, or if it is used.</summary>
    public static void End(string path)
    {
        string real = RealPath.Of(path);
        if (MountTable.LastAt(real) is not { } mount || CommitOf(mount).IsNone)
        {
            throw new StoreException($"{path}: no commit is mounted there");
        }

        Errno errno = Sys.Unmount(ByteText.FromArgument(real));
        if (errno == Errno.EBUSY)
        {
            throw new StoreException($"{path}: it is in use");
        }

        errno.ThrowIfFailed("umount2", path);
    }

    /// <summary>The commits that are mounted, as this process sees it, and where.</summary>
    public static IEnumerable<(string Path, Digest Commit, bool IsReadOnly)> Find()
    {
        foreach (Mount mount in MountTable.Overlays())
        {
            if (CommitOf(mount) is { IsNone: false } commit)
            {
                yield return (mount.Point, commit, !mount.Options.Contains("upperdir=", StringComparison.Ordinal));
            }
        }
    }

    /// <summary>The commit that a mount shows; none for a mount of another kind.</summary>
    private static Digest CommitOf(Mount mount) =>
        mount.Type == "overlay" && mount.Source.StartsWith(Source, StringComparison.Ordinal)
            && Digest.TryParse(ByteText.FromArgument(mount.Source[Source.Length..]), out Digest commit)
            ? commit
            : default;

    /// <summary>Makes a mount of the image itself, which is attached nowhere yet, with a loop device if the kernel cannot mount files.</summary>
    private static SafeFileHandle MountImage(SafeFileHandle file, string subject, out bool isLoop)
    {
        Errno errno = MountImage(NameOf(file), out SafeFileHandle mount);

        // EINVAL: the image is on a filesystem from which the kernel cannot mount files.
        isLoop = errno is Errno.ENOTBLK or Errno.EINVAL;
        if (isLoop)
        {
            mount.Dispose();
            Errno made = Sys.MakeLoop(file, out SafeFileHandle device, out byte[] path);
            using (device)
            {
                errno = made == Errno.None
                    ? MountImage(path, out mount)
                    : throw new StoreException($"this kernel mounts images only from block devices, and made no loop device: {LinuxException.Describe(made)}");
            }
        }

        if (errno is Errno.ENODEV or Errno.ENOSYS)
        {
            throw new StoreException(errno == Errno.ENODEV
                ? "this kernel has no EROFS (CONFIG_EROFS_FS), the filesystem of images"
                : "this kernel is older than Linux 5.2, and lacks the calls that make a mount");
        }

        errno.ThrowIfFailed("mount of erofs", subject);
        return mount;
    }

    private static Errno MountImage(byte[] source, out SafeFileHandle mount) =>
        Sys.MakeMount("erofs"u8, isReadOnly: true, [("source"u8.ToArray(), source)], out mount);

    /// <summary>
    /// Makes the overlay, which is attached nowhere yet. Kernels before Linux 6.15 take as a layer only what is attached, so the image is attached
    /// to the directory meanwhile.
    /// </summary>
    private static SafeFileHandle MakeOverlay(
        ObjectStore store, StoredImage image, SafeFileHandle directory, SafeFileHandle lower, string real, ChangesPlace? changes, bool verity)
    {
        using SafeFileHandle files = OpenPath.Directory($"{store.Path}/files");
        Sys.AttachMount(lower, directory).ThrowIfFailed("move_mount", real);
        try
        {
            // Data-only layers are of Linux 6.5. Before, files/ is an ordinary layer, which the opaque root of the image hides.
            Errno errno = MountOverlay(image, [.. NameOf(lower), .. "::"u8, .. NameOf(files)], changes, verity, out SafeFileHandle overlay);
            if (errno == Errno.EINVAL)
            {
                overlay.Dispose();
                errno = MountOverlay(image, [.. NameOf(lower), .. ":"u8, .. NameOf(files)], changes, verity, out overlay);
            }

            return errno switch
            {
                Errno.None => overlay,
                Errno.EINVAL when verity =>
                    throw new StoreException("this kernel's overlayfs cannot require fs-verity, which takes Linux 6.6; leave out --verity"),
                Errno.EINVAL => throw new StoreException("this kernel's overlayfs cannot find content in another layer (metacopy, of Linux 4.19)"),
                Errno.ENODEV => throw new StoreException("this kernel has no overlayfs (CONFIG_OVERLAY_FS)"),
                _ => throw new LinuxException(errno, "mount of overlay", real),
            };
        }
        finally
        {
            // By its handle, because somebody may have mounted something over it.
            Sys.Detach(NameOf(lower)).ThrowIfFailed("umount2", real);
        }
    }

    private static Errno MountOverlay(StoredImage image, byte[] layers, ChangesPlace? changes, bool verity, out SafeFileHandle overlay)
    {
        List<(byte[] Option, byte[] Value)> options =
        [
            ("source"u8.ToArray(), ByteText.FromArgument($"{Source}{image.Commit}")),
            ("metacopy"u8.ToArray(), "on"u8.ToArray()),
            ("redirect_dir"u8.ToArray(), "on"u8.ToArray()),
            ("lowerdir"u8.ToArray(), layers),
        ];
        if (verity)
        {
            options.Add(("verity"u8.ToArray(), "require"u8.ToArray()));
        }

        if (changes is not null)
        {
            options.Add(("upperdir"u8.ToArray(), ByteText.FromArgument(changes.Upper)));
            options.Add(("workdir"u8.ToArray(), ByteText.FromArgument(changes.Work)));
        }

        return Sys.MakeMount("overlay"u8, isReadOnly: changes is null, options, out overlay);
    }

    /// <summary>A path of an open file that is short and has no character with a meaning in options.</summary>
    private static byte[] NameOf(SafeFileHandle opened) =>
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{opened.DangerousGetHandle()}"));
}
