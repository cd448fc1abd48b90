using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>The running system's root, by the path where it lies on the physical filesystem.</summary>
public static class RunningRoot
{
    /// <summary>
    /// Where the recorded root lies that is mounted at <paramref name="path"/>, as / is when a root was booted: there it can be
    /// seen without what is mounted over it. The path itself where no such root is.
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
