using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>
/// The mount that keeps a root from being written to: a read-only bind mount of its directory over itself. Nothing but the mount table tells of the
/// mount, and it ends with the machine's run. Writing to the root's files under other names is still possible.
/// </summary>
public static class ReadOnlyMount
{
    /// <summary>The roots that are mounted so, by path.</summary>
    public static HashSet<string> Find(ObjectStore store)
    {
        var points = MountTable.ReadOnlyPoints().ToHashSet();
        return points.Count == 0 ? points
            : [.. store.Roots.Finished().Where(root => IsMounted(store, root.Record, points)).Select(root => store.Roots.AbsolutePath(root.Record))];
    }

    /// <summary>Throws <see cref="StoreException"/> if this process surely may not mount anything.</summary>
    public static void RequireRight()
    {
        if (!Sys.IsRoot)
        {
            throw new StoreException("only root can mount, and so make a read-only root; leave out --readonly");
        }
    }

    /// <summary>Makes the mount.</summary>
    /// <param name="path">The root's real path.</param>
    public static void Make(string path)
    {
        Errno errno = Sys.MountReadOnlyOverItself(ByteText.FromArgument(path));
        if (errno != Errno.None)
        {
            throw new StoreException($"{path} was made, but can be written to: {new LinuxException(errno, "mount_setattr", path).Message}");
        }
    }

    /// <summary>Ends the mount, if there is one.</summary>
    /// <param name="path">The root's real path.</param>
    internal static void End(string path)
    {
        // There may be several, one over the other.
        while (MountTable.ReadOnlyPoints().Contains(path))
        {
            Sys.Unmount(ByteText.FromArgument(path)).ThrowIfFailed("umount2", path);
        }
    }

    /// <summary>Whether the directory that is seen at a read-only mount point is the root's.</summary>
    private static bool IsMounted(ObjectStore store, RootRecord record, HashSet<string> points) =>
        store.Roots.AbsolutePath(record) is var path && points.Contains(path)
        && Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(path), out FileStatus status) == Errno.None && record.IsOf(status);
}
