using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>The directories that a root needs to be booted, because the initrd mounts something on each; boot/initramfs/hacktree/subroot.sh does.</summary>
internal static class MountPoints
{
    private const ushort Sticky = 0x3FF; // 01777, as /tmp is

    private static readonly (string Name, uint Mode)[] All =
    [
        ("boot", FileModes.PublicDirectory), ("dev", FileModes.PublicDirectory), ("home", FileModes.PublicDirectory), ("proc", FileModes.PublicDirectory), ("root", FileModes.OwnerOnly),
        ("run", FileModes.PublicDirectory), ("sys", FileModes.PublicDirectory), ("sysroot", FileModes.PublicDirectory), ("tmp", Sticky), ("var", FileModes.PublicDirectory),
    ];

    /// <summary>
    /// Makes those that the root <paramref name="name"/> in <paramref name="parent"/> lacks, and gives the root back its
    /// modification time in seconds since 1970.
    /// </summary>
    internal static void Make(SafeFileHandle parent, ReadOnlySpan<byte> name, long modifyTime, string subject)
    {
        Errno opened = Sys.Open(parent, name, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle root);
        opened.ThrowIfFailed("openat", subject);
        using (root)
        {
            foreach ((string point, uint mode) in All)
            {
                byte[] pointName = ByteText.FromArgument(point);
                Errno made = Sys.MakeDirectory(root, pointName, mode);
                if (made != Errno.EEXIST)
                {
                    made.ThrowIfFailed("mkdirat", $"{subject}/{point}");
                    Sys.SetMode(root, pointName, mode).ThrowIfFailed("fchmodat", $"{subject}/{point}");
                }
            }

            Sys.SetTime(root, modifyTime).ThrowIfFailed("futimens", subject);
        }
    }
}
