using HackTree.Linux;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// Finds the physical root for a process in a root that was entered by chroot, as in the classic chain (DESIGN.md, section 7). No path leads
/// to the physical root there. link(2) works only between paths of one mount, so the filesystem is mounted a second time.
/// </summary>
public static class PhysicalRoot
{
    /// <summary>The path of the physical root within a root.</summary>
    public const string Place = "/sysroot";

    private static readonly string[] Types = ["ext4", "xfs", "btrfs"];

    /// <summary>
    /// Mounts the filesystem of / at <see cref="Place"/>, and returns whether it did. It does so only if the kernel's command line says that / is
    /// a root below the filesystem's top, and only if a store is in the filesystem.
    /// </summary>
    public static bool TryMount()
    {
        if (!Sys.IsRoot || Directory.Exists($"{Place}/objects") || !IsBootedIntoRoot())
        {
            return false;
        }

        Sys.Stat(Sys.WorkingDirectory, "/"u8, out FileStatus root).ThrowIfFailed("statx", "/");
        string device = $"/dev/block/{root.Device >> 32}:{root.Device & uint.MaxValue}";
        if (!File.Exists(device))
        {
            return false;
        }

        Directory.CreateDirectory(Place);
        if (!Array.Exists(Types, type => Sys.Mount(Bytes(device), Bytes(Place), Bytes(type)) == Errno.None))
        {
            return false;
        }

        if (ObjectStore.IsStore($"{Place}/objects"))
        {
            return true;
        }

        Sys.Unmount(Bytes(Place)).ThrowIfFailed("umount", Place);
        return false;
    }

    private static bool IsBootedIntoRoot() =>
        File.Exists("/proc/cmdline")
        && File.ReadAllText("/proc/cmdline").Split(' ', '\n').Any(word => word.StartsWith("subroot=", StringComparison.Ordinal));

    private static byte[] Bytes(string text) => System.Text.Encoding.UTF8.GetBytes(text);
}
