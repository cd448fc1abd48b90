using HackTree.Boot;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>The classic chain: the patched init of initramfs-tools and the patched switch_root enter a root by chroot.</summary>
[Collection(BootCollection.Name)]
public sealed class ClassicBootTests(BootDisk disk)
{
    /// <summary>What the manual of this chain says: nothing but fstab tells what the roots share.</summary>
    private const string Fstab =
        """
        /dev/vda      /sysroot ext4 defaults 0 0
        /sysroot/boot /boot    none bind     0 0
        /sysroot/home /home    none bind     0 0
        /sysroot/var  /var     none bind     0 0

        """;

    [Fact]
    public void A_root_runs_knows_where_it_is_and_reaches_the_physical_root()
    {
        using var directory = new TempDirectory();
        string initrd = Patched(directory);
        disk.Ok("checkout", "--copy", "debian", "/c0");
        disk.Change(at =>
        {
            Directory.CreateDirectory(at("c0/sysroot"));
            File.WriteAllText(at("c0/etc/fstab"), Fstab);
        });

        BootResult result = disk.Boot("classic", initrd, "ro subroot=c0", """
            say source "$(findmnt -n -o SOURCE /)"
            say init "$(tr '\0' ' ' < /proc/1/cmdline)"
            say private "$(systemd-run --quiet --pipe -p PrivateTmp=yes ls -A /tmp)"
            say written "$(touch /written && cat /sysroot/c0/written && echo yes)"
            say linked "$(ln /sysroot/c0/written /sysroot/objects/tmp/linked && stat -c %h /written; rm -f /sysroot/objects/tmp/linked)"
            say shared "$(findmnt -n -o SOURCE /boot /home /var)"
            say objects "$(hacktree --store /sysroot/objects refs)"
            """);
        result.RequireRunning();
        Assert.Equal("/dev/vda[/c0]", result["source"]);
        Assert.Equal("", result["private"]);
        Assert.Equal("yes", result["written"]);
        Assert.Equal("2", result["linked"]);
        Assert.Contains("debian", result["objects"], StringComparison.Ordinal);
    }

    [Fact]
    public void A_root_that_is_missing_is_named_and_the_machine_does_not_go_on()
    {
        using var directory = new TempDirectory();
        BootResult result = disk.Boot("classic-missing", Patched(directory), "subroot=c9", "");
        Assert.Contains("Cannot enter subroot=c9: no such directory on /dev/vda.", result.Log, StringComparison.Ordinal);
        Assert.DoesNotContain("systemd[1]", result.Log, StringComparison.Ordinal);
    }

    private static string Patched(TempDirectory directory)
    {
        string output = directory.At("initrd");
        ClassicInitrd.Patch(BootRoot.Initrd, output, ClassicBuild.Init, ClassicBuild.SwitchRoot);
        return output;
    }
}
