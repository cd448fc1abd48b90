using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>What a booted root shows at a mount point.</summary>
public enum MountedPlace
{
    /// <summary>What the running kernel and system keep there: devices, processes, sockets.</summary>
    System,
    /// <summary>The directory of that name at the top of the physical root, which all roots share.</summary>
    Shared,
    /// <summary>A directory that can be written to, which no commit has.</summary>
    Writable,
    /// <summary>The physical root.</summary>
    PhysicalRoot,
}

/// <summary>
/// The directories that a root needs to be booted, because the initrd mounts something on each. boot/initramfs/hacktree/subroot.sh is the
/// other side of this table; tests/Boot/SubrootScriptTests compares the two.
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

    /// <summary>The names of the directories that show that.</summary>
    public static IEnumerable<string> Showing(MountedPlace place) => All.Where(point => point.Shows == place).Select(point => point.Name);

    /// <summary>Makes those that the tree lacks.</summary>
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
