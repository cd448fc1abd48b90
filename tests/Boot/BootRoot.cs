using HackTree.Linux;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Boot;

/// <summary>The Debian tree with kernel, systemd, initramfs-tools and dracut that boots are made of; made once, and not to be written to.</summary>
internal static class BootRoot
{
    private static readonly Lazy<ToolResult> Made = new(() => Tools.Run(System.IO.Path.Combine(Repository.Root, ".setup", "boot-root")));

    /// <summary>Where it is; skips the test, saying why, where there can be none; in CI that is a failure.</summary>
    public static string Path
    {
        get
        {
            Assert.SkipUnless(Sys.IsRoot, "only root can make a Debian root");
            Assert.SkipWhen(Made.Value.ExitCode != 0 && Environment.GetEnvironmentVariable("CI") is null or "", Made.Value.Error.Trim());
            return Made.Value.Succeeded().Trim();
        }
    }

    /// <summary>Its kernel.</summary>
    public static string Kernel => Directory.GetFiles(System.IO.Path.Combine(Path, "boot"), "vmlinuz-*").Single();

    /// <summary>The initrd that its initramfs-tools made.</summary>
    public static string Initrd => Directory.GetFiles(System.IO.Path.Combine(Path, "boot"), "initrd.img-*").Single();
}
