using System.Globalization;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>Tells whether a root may be taken away: not while a system or a process runs in it, something is mounted in it, or it is pinned.</summary>
internal static class RootUse
{
    /// <summary>Throws <see cref="StoreException"/> where the root at <paramref name="path"/> has a record that says pinned.</summary>
    internal static void RequireUnpinned(string path, RootRecord? record)
    {
        if (record is { State: RootState.Pinned })
        {
            throw new StoreException($"{path}: it is pinned; `hacktree roots unpin {record.Path}` lets it be replaced");
        }
    }

    /// <summary>Throws <see cref="StoreException"/> where the root is in use. <paramref name="status"/> is that of its directory.</summary>
    internal static void RequireUnused(string path, in FileStatus status)
    {
        if (FindUse(path, status) is { } use)
        {
            throw new StoreException($"{path}: {use}");
        }
    }

    /// <summary>Says what uses a root, and what to do; null where nothing does.</summary>
    private static string? FindUse(string path, in FileStatus status) =>
        IsSame(Sys.WorkingDirectory, "/"u8, status) ? "it is the running system's root; boot another one first"
        : MountTable.PointsBelow(path).FirstOrDefault() is { } mount ? $"{mount} is mounted there; unmount it first"
        : FindProcess(status) is { } process ? $"process {process} runs in it; end that first"
        : null;

    /// <summary>A process whose root directory it is, as after chroot(2).</summary>
    private static int? FindProcess(FileStatus status)
    {
        foreach (string directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), NumberStyles.None, CultureInfo.InvariantCulture, out int pid)
                && IsSame(Sys.WorkingDirectory, ByteText.FromArgument($"{directory}/root/."), status))
            {
                return pid;
            }
        }

        return null;
    }

    private static bool IsSame(SafeFileHandle from, ReadOnlySpan<byte> path, in FileStatus status) =>
        Sys.Stat(from, path, out FileStatus found) == Errno.None && found.Device == status.Device && found.Inode == status.Inode;
}
