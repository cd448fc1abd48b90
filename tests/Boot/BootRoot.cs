using HackTree.Linux;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Boot;

/// <summary>
/// The Debian tree with kernel, systemd, initramfs-tools and dracut that boots are made from. It is made once; tests must not write to it.
/// </summary>
internal static class BootRoot
{
    private static readonly Lazy<ToolResult> Made = new(() => Tools.Run(System.IO.Path.Combine(Repository.Root, ".setup", "boot-root")));

    /// <summary>The path of the tree. Skips the test, saying why, if the tree cannot be made.</summary>
    public static string Path
    {
        get
        {
            Assert.SkipUnless(Sys.IsRoot, "only root can make a Debian root");
            Assert.SkipWhen(Made.Value.ExitCode != 0, Made.Value.Error.Trim());
            return Made.Value.Succeeded().Trim();
        }
    }

    /// <summary>The path of its kernel.</summary>
    public static string Kernel => Directory.GetFiles(System.IO.Path.Combine(Path, "boot"), "vmlinuz-*").Single();

    /// <summary>The path of the initrd that its initramfs-tools made.</summary>
    public static string Initrd => Directory.GetFiles(System.IO.Path.Combine(Path, "boot"), "initrd.img-*").Single();
}
