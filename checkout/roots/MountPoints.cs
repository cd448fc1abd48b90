using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>The directories that a root needs to be booted, because the initrd mounts something on each; boot/initramfs/hacktree/subroot.sh does.</summary>
internal static class MountPoints
{
    private const uint Public = 0x1ED;
    private const uint Private = 0x1C0;
    private const uint Shared = 0x3FF;

    private static readonly (string Name, uint Mode)[] All =
    [
        ("boot", Public), ("dev", Public), ("home", Public), ("proc", Public), ("root", Private),
        ("run", Public), ("sys", Public), ("sysroot", Public), ("tmp", Shared), ("var", Public),
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
