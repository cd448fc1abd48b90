using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>Finds the path of the running system's root on the physical filesystem.</summary>
public static class RunningRoot
{
    /// <summary>
    /// The record of the root that the directory at <paramref name="path"/> is; null if it is none. A root that is an image is mounted elsewhere than in
    /// its directory, and the etc/ in there is the one of its directory.
    /// </summary>
    public static RootRecord? RecordOf(ObjectStore store, string path) =>
        Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(path), out FileStatus status) != Errno.None ? null
        : store.Roots.FindByDirectory(status) ?? (status.IsMountRoot ? FindImage(store, Path.Combine(path, "etc")) : null);

    /// <summary>The record of the image root whose etc/ is mounted at a path; null if none is.</summary>
    private static RootRecord? FindImage(ObjectStore store, string etc) =>
        Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(etc), out FileStatus mounted) == Errno.None && mounted.IsMountRoot
            ? store.Roots.Finished().Select(root => root.Record).FirstOrDefault(record =>
                record.Method == CheckoutMethod.Image && IsSame(Path.Combine(store.Roots.AbsolutePath(record), "etc"), mounted))
            : null;

    private static bool IsSame(string path, FileStatus status) =>
        Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(path), out FileStatus found) == Errno.None
            && (found.Device, found.Inode) == (status.Device, status.Inode);

    /// <summary>
    /// If a root with a record is mounted at <paramref name="path"/>, returns the path of that root on the physical filesystem. There it can be
    /// seen without what is mounted over it. The booted root, for example, is mounted at /. Otherwise returns <paramref name="path"/>.
    /// </summary>
    public static string Find(ObjectStore store, string path)
    {
        if (Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(path), out FileStatus status) != Errno.None
            || !status.IsMountRoot
            || store.Roots.FindByDirectory(status) is not { } record)
        {
            return path;
        }

        string place = store.Roots.AbsolutePath(record);
        return Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(place), out FileStatus found) == Errno.None && record.IsOf(found)
            ? place
            : path;
    }
}
