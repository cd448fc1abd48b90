using System.Globalization;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Tells whether a directory must stay: because something uses it (<see cref="DirectoryUse"/>), it is the running system's root, it is pinned, or
/// another root or the store lies in it. All paths are real paths (<see cref="RealPath"/>).
/// </summary>
public static class RootUse
{
    /// <summary>
    /// Throws <see cref="StoreException"/> if the directory must not be removed: it is a root, is inside one, or contains something that
    /// must stay.
    /// </summary>
    public static void RequireNoRoot(ObjectStore store, string path)
    {
        string real = RealPath.Of(path);
        RequireOutsideRoots(store, path, real);
        Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(real), out FileStatus status).ThrowIfFailed("statx", path);

        // What a process has open is no obstacle: --consume leaves the files that are written to in their place.
        RequireFree(store, real, status, record: null, withFiles: false);
    }

    /// <summary>Throws <see cref="StoreException"/> if the directory is a root or inside one, or if a root or a store lies in it.</summary>
    internal static void RequireOutside(ObjectStore store, string path)
    {
        string real = RealPath.Of(path);
        RequireOutsideRoots(store, path, real);
        using SafeFileHandle directory = OpenPath.Directory(real);
        if (store.Holds(directory))
        {
            throw new StoreException($"{path}: it belongs to the store {store.Path}");
        }

        if (FindInside(store, real, isRoot: false) is { } inside)
        {
            throw new StoreException($"{path}: {inside}");
        }
    }

    private static void RequireOutsideRoots(ObjectStore store, string path, string real)
    {
        bool isInMount = true;
        for (string? place = real; place is not null && isInMount; place = Path.GetDirectoryName(place))
        {
            if (Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(place), out FileStatus found) == Errno.None
                && store.Roots.FindByDirectory(found) is { } record)
            {
                throw new StoreException($"{path}: it belongs to the root {store.Roots.AbsolutePath(record)}, which must stay whole", new Remedy.RemoveRoot());
            }

            // A filesystem that is mounted somewhere in a root is no part of the root; /sysroot in the running root is an example.
            isInMount = !found.IsMountRoot;
        }
    }

    /// <summary>Throws <see cref="StoreException"/>, with the reason, if the directory must stay.</summary>
    /// <param name="store">The store.</param>
    /// <param name="path">The directory, which is about to be removed or changed.</param>
    /// <param name="status">Its status.</param>
    /// <param name="record">Its record; null if it is no root.</param>
    /// <param name="withFiles">Whether files that processes have open count.</param>
    /// <param name="withReadOnlyMount">Whether a <see cref="ReadOnlyMount"/> counts.</param>
    internal static void RequireFree(
        ObjectStore store, string path, in FileStatus status, RootRecord? record, bool withFiles = true, bool withReadOnlyMount = true)
    {
        RequireUnpinned(path, record);
        if ((FindInside(store, path, isRoot: record is not null) ?? FindUse(path, status, withFiles, withReadOnlyMount)) is { } use)
        {
            throw new StoreException($"{path}: {use}");
        }
    }

    /// <summary>Throws <see cref="StoreException"/> if the record says that the root at <paramref name="path"/> is pinned.</summary>
    internal static void RequireUnpinned(string path, RootRecord? record)
    {
        if (record is { State: RootState.Pinned })
        {
            throw new StoreException($"{path}: it is pinned", new Remedy.UnpinRoot(path));
        }
    }

    /// <summary>Throws <see cref="StoreException"/> if something is mounted over a root. <paramref name="status"/> is that of another directory.</summary>
    internal static void RequireNotHidden(string path, in FileStatus status)
    {
        if (status.IsMountRoot)
        {
            throw new StoreException($"{path}: something is mounted there, which hides the root; unmount it first");
        }
    }

    /// <summary>Says what in a directory must not be lost, and what to do; null if there is nothing.</summary>
    private static string? FindInside(ObjectStore store, string path, bool isRoot)
    {
        if (store.Path == path || Roots.IsBelow(store.Path, path))
        {
            return "the store itself is there; choose another name";
        }

        // A store that a root holds came from the root's commit.
        if (!isRoot && new[] { path, Path.Combine(path, "objects") }.FirstOrDefault(ObjectStore.IsCertainlyStore) is { } other)
        {
            return $"there is a store in it, {other}; remove that by hand if nobody needs it";
        }

        IEnumerable<string> places = store.Roots.FindBelow(path).Select(root => store.Roots.AbsolutePath(root.Record));
        return places.FirstOrDefault(place => place != path && Directory.Exists(place)) is { } root
            ? $"the root {root} lies in it; remove or move that first"
            : null;
    }

    /// <summary>Says what uses a directory, and what to do; null if nothing does.</summary>
    private static string? FindUse(string path, in FileStatus status, bool withFiles, bool withReadOnlyMount) =>
        IsSame(Sys.WorkingDirectory, "/"u8, status) ? "it is the running system's root; boot another one first"
        : DirectoryUse.Find(path, status, withFiles, withReadOnlyMount) is { } user ? Sentence(user, path)
        : null;

    private static string Sentence(DirectoryUser user, string path)
    {
        string viewer = user.SeenBy is { } seen ? $" in the mount namespace of process {Name(seen)}" : "";
        return user switch
        {
            DirectoryUser.MountPoint mount => $"{mount.Point} is mounted there{viewer}; unmount it first",
            DirectoryUser.Bind bind => $"it is mounted at {bind.Point} too{viewer}, or a part of it is; unmount that first",
            DirectoryUser.Overlay overlay => $"the overlay at {overlay.Point}{viewer} {Layer(overlay.Layer)}; unmount that first",
            DirectoryUser.Disk disk => $"{disk.Path} is in use by {disk.User}; detach it first",
            DirectoryUser.Process process => $"process {Name(process.Holder)} {Tie(process, path)}; end that first",
            _ => throw new ArgumentOutOfRangeException(nameof(user), user, "a user without a sentence"),
        };
    }

    private static string Layer(string layer) =>
        Path.IsPathRooted(layer) ? $"is made of {layer}" : $"is made of '{layer}', a relative path that may lead into it";

    private static string Tie(DirectoryUser.Process process, string path) => process.Tie switch
    {
        ProcessTie.Root => "runs in it",
        ProcessTie.WorkingDirectory => process.Path == path ? "works in it" : $"works in {process.Path}",
        ProcessTie.Program => $"runs {process.Path}",
        ProcessTie.OpenFile or ProcessTie.MappedFile => $"has {process.Path} open",
        _ => throw new ArgumentOutOfRangeException(nameof(process), process.Tie, "a tie without words"),
    };

    private static string Name(LockHolder process) =>
        string.Create(CultureInfo.InvariantCulture, $"{process.Process}{(process.Program is { } program ? $" ({program})" : "")}");

    private static bool IsSame(SafeFileHandle from, ReadOnlySpan<byte> path, in FileStatus status) =>
        Sys.Stat(from, path, out FileStatus found) == Errno.None && found.Device == status.Device && found.Inode == status.Inode;
}
