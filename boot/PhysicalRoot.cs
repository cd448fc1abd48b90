using HackTree.Linux;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// The physical root, for a process in a root that was entered by chroot, as the classic chain does (DESIGN.md, section 7): nothing
/// shows it there. link(2) works only between paths of one mount, so a store is reached by mounting its filesystem once more.
/// </summary>
public static class PhysicalRoot
{
    /// <summary>Where a root sees the physical root.</summary>
    public const string Place = "/sysroot";

    private static readonly string[] Types = ["ext4", "xfs", "btrfs"];

    /// <summary>
    /// Mounts the filesystem of / at <see cref="Place"/>, if the kernel's command line says that / is a root below it and
    /// there is a store in it; answers whether it did.
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
        File.Exists("/proc/cmdline") && File.ReadAllText("/proc/cmdline").Split(' ', '\n').Any(word => word.StartsWith("subroot=", StringComparison.Ordinal));

    private static byte[] Bytes(string text) => System.Text.Encoding.UTF8.GetBytes(text);
}
