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
    /// The device of the filesystem of /, where / is a root below the filesystem's top and <see cref="Place"/> does not show the top. The kernel's
    /// command line says whether / is such a root. Null if not.
    /// </summary>
    public static string? FindHiddenDevice()
    {
        if (Directory.Exists($"{Place}/objects") || !IsBootedIntoRoot())
        {
            return null;
        }

        Sys.Stat(Sys.WorkingDirectory, "/"u8, out FileStatus root).ThrowIfFailed("statx", "/");
        string device = $"/dev/block/{root.Device >> 32}:{root.Device & uint.MaxValue}";
        return File.Exists(device) ? device : FindNamedDevice();
    }

    /// <summary>
    /// The device that the kernel's command line names with root=. A filesystem such as btrfs gives its files the number of no device, and a pure
    /// chroot sees no mount of /.
    /// </summary>
    private static string? FindNamedDevice()
    {
        const string Root = "root=";
        string? name = Array.FindLast(CommandLine(), word => word.StartsWith(Root, StringComparison.Ordinal))?[Root.Length..];
        string? device = name?.Split('=', 2) switch
        {
            ["UUID", var id] => $"/dev/disk/by-uuid/{id.ToLowerInvariant()}",
            ["PARTUUID", var id] => $"/dev/disk/by-partuuid/{id.ToLowerInvariant()}",
            ["LABEL", var label] => $"/dev/disk/by-label/{label}",
            _ => name,
        };
        return device != null && File.Exists(device) ? device : null;
    }

    /// <summary>Mounts the device at <see cref="Place"/> if a store is in it, and returns whether it did. Only root can.</summary>
    public static bool TryMount(string device)
    {
        if (!Sys.IsRoot)
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

    private static bool IsBootedIntoRoot() => Array.Exists(CommandLine(), word => word.StartsWith("subroot=", StringComparison.Ordinal));

    private static string[] CommandLine() => File.Exists("/proc/cmdline") ? File.ReadAllText("/proc/cmdline").Split(' ', '\n') : [];

    private static byte[] Bytes(string text) => System.Text.Encoding.UTF8.GetBytes(text);
}
