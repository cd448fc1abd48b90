using System.Globalization;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Tells whether a directory must stay: because the system or a process runs in it, something is mounted in it, it is pinned, or another root or
/// the store lies in it. All paths are real paths (<see cref="RealPath"/>).
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

        Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(real), out FileStatus status).ThrowIfFailed("statx", path);
        RequireFree(store, real, status, record: null);
    }

    /// <summary>Throws <see cref="StoreException"/>, with the reason, if the directory must stay.</summary>
    /// <param name="store">The store.</param>
    /// <param name="path">The directory, which is about to be removed or changed.</param>
    /// <param name="status">Its status.</param>
    /// <param name="record">Its record; null if it is no root.</param>
    internal static void RequireFree(ObjectStore store, string path, in FileStatus status, RootRecord? record)
    {
        RequireUnpinned(path, record);
        if ((FindUse(path, status) ?? FindInside(store, path, isRoot: record is not null)) is { } use)
        {
            throw new StoreException($"{path}: {use}");
        }
    }

    /// <summary>Throws <see cref="StoreException"/> if the record says that the root at <paramref name="path"/> is pinned.</summary>
    internal static void RequireUnpinned(string path, RootRecord? record)
    {
        if (record is { State: RootState.Pinned })
        {
            throw new StoreException($"{path}: it is pinned", new Remedy.UnpinRoot(record.Path));
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

        return store.Roots.FindBelow(path).Select(root => store.Roots.AbsolutePath(root.Record)).FirstOrDefault(place => place != path && Directory.Exists(place)) is { } root
            ? $"the root {root} lies in it; remove or move that first"
            : null;
    }

    /// <summary>Says what uses a root, and what to do; null if nothing does.</summary>
    private static string? FindUse(string path, in FileStatus status) =>
        IsSame(Sys.WorkingDirectory, "/"u8, status) ? "it is the running system's root; boot another one first"
        : MountTable.PointsBelow(path).FirstOrDefault() is { } mount ? $"{mount} is mounted there; unmount it first"
        : FindProcess(path, status) is { } process ? $"process {process} runs in it; end that first"
        : null;

    /// <summary>A process whose root directory is this directory or lies in it, as after chroot(2); null if there is none.</summary>
    private static int? FindProcess(string path, FileStatus status)
    {
        foreach (string directory in Directory.Exists("/proc") ? Directory.EnumerateDirectories("/proc") : [])
        {
            if (int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out int pid)
                && (IsSame(Sys.WorkingDirectory, ByteText.FromArgument($"{directory}/root/."), status)
                    || (new FileInfo($"{directory}/root").LinkTarget is { } root && Roots.IsBelow(root, path))))
            {
                return pid;
            }
        }

        return null;
    }

    private static bool IsSame(SafeFileHandle from, ReadOnlySpan<byte> path, in FileStatus status) =>
        Sys.Stat(from, path, out FileStatus found) == Errno.None && found.Device == status.Device && found.Inode == status.Inode;
}
