using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>The content of a mount point in a booted root.</summary>
public enum MountedPlace
{
    /// <summary>Files of the running kernel and system: devices, processes, sockets.</summary>
    System,
    /// <summary>The directory of the same name at the top of the physical root, which all roots share.</summary>
    Shared,
    /// <summary>A writable directory, which is not part of the commit.</summary>
    Writable,
    /// <summary>The physical root.</summary>
    PhysicalRoot,
}

/// <summary>
/// The directories on which the initrd mounts something when a root is booted. boot/initramfs/hacktree/subroot.sh does the mounting;
/// tests/Boot/SubrootScriptTests compares it with this table.
/// </summary>
public static class MountPoints
{
    private const uint Sticky = 0x3FF; // 01777, as /tmp is

    internal static readonly (string Name, uint Mode, MountedPlace Shows)[] All =
    [
        ("boot", FileModes.PublicDirectory, MountedPlace.Shared),
        ("dev", FileModes.PublicDirectory, MountedPlace.System),
        ("home", FileModes.PublicDirectory, MountedPlace.Shared),
        ("proc", FileModes.PublicDirectory, MountedPlace.System),
        ("root", FileModes.OwnerOnly, MountedPlace.Writable),
        ("run", FileModes.PublicDirectory, MountedPlace.System),
        ("sys", FileModes.PublicDirectory, MountedPlace.System),
        ("sysroot", FileModes.PublicDirectory, MountedPlace.PhysicalRoot),
        ("tmp", Sticky, MountedPlace.Writable),
        ("var", FileModes.PublicDirectory, MountedPlace.Shared),
    ];

    /// <summary>The names of the mount points with this content.</summary>
    public static IEnumerable<string> Showing(MountedPlace place) => All.Where(point => point.Shows == place).Select(point => point.Name);

    /// <summary>Makes the mount points that the tree lacks.</summary>
    internal static void Make(in WholeTree tree)
    {
        foreach ((string point, uint mode, _) in All)
        {
            byte[] name = ByteText.FromArgument(point);
            Errno made = Sys.MakeDirectory(tree.Top, name, mode);
            if (made != Errno.EEXIST)
            {
                made.ThrowIfFailed("mkdirat", $"{tree.Subject}/{point}");
                Sys.SetMode(tree.Top, name, mode).ThrowIfFailed("fchmodat", $"{tree.Subject}/{point}");
            }
        }
    }
}
