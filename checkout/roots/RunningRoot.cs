using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>Finds the path of the running system's root on the physical filesystem.</summary>
public static class RunningRoot
{
    /// <summary>The record of the root that the directory at <paramref name="path"/> is; null if it is none.</summary>
    public static RootRecord? RecordOf(ObjectStore store, string path) =>
        Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(path), out FileStatus status) == Errno.None ? store.Roots.FindByDirectory(status) : null;

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
