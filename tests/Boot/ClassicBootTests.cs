using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>The classic chain: the patched init of initramfs-tools and the patched switch_root enter a root by chroot.</summary>
[Collection(BootCollection.Name)]
public sealed class ClassicBootTests(BootDisk disk)
{
    /// <summary>The fstab that README gives for a root: the classic chain mounts only the root itself.</summary>
    private const string Fstab =
        """
        /dev/vda      /sysroot ext4 defaults 0 0
        /sysroot/boot /boot    none bind     0 0
        /sysroot/home /home    none bind     0 0
        /sysroot/var  /var     none bind     0 0

        """;

    [Fact]
    public void A_root_runs_and_shares_what_its_fstab_says()
    {
        using var directory = new TempDirectory();
        disk.Ok("checkout", "--copy", "--boot", "debian", "/c0");
        disk.Change(at => File.WriteAllText(at("c0/etc/fstab"), Fstab));

        BootResult result = disk.Boot("classic", Patched(directory), "ro subroot=c0", """
            say root "$(findmnt -n -o SOURCE,VFS-OPTIONS /)"
            say shared "$(findmnt -n -o SOURCE /boot; findmnt -n -o SOURCE /home; findmnt -n -o SOURCE /var)"
            say private "$(systemd-run -q --wait -p PrivateTmp=yes true && echo works)"
            say written "$(touch /written && ls /sysroot/c0/written)"
            say linked "$(ln /sysroot/c0/written /sysroot/linked && stat -c %h /written)"
            """);
        result.RequireRunning();
        Assert.Equal("/dev/vda[/c0] rw,relatime", result["root"]);
        Assert.Equal("/dev/vda[/boot];/dev/vda[/home];/dev/vda[/var]", result["shared"]);
        Assert.Equal("works", result["private"]);
        Assert.Equal("/sysroot/c0/written", result["written"]);
        Assert.Equal("2", result["linked"]);
    }

    [Fact]
    public void A_root_with_the_fstab_of_an_installer_runs_and_hacktree_in_it_finds_the_physical_root()
    {
        using var directory = new TempDirectory();
        disk.Ok("checkout", "--copy", "debian", "/c1");
        disk.Change(at => File.WriteAllText(at("c1/check.sh"), "mkdir -p /run/disk && mount /dev/vda /run/disk && exec sh /run/disk/check.sh\n"));

        BootResult result = disk.Boot("classic-fstab", Patched(directory), "ro subroot=c1", """
            say root "$(findmnt -n -o SOURCE,VFS-OPTIONS /)"
            say hidden "$(hacktree refs 2>&1)"
            say mounted "$(ls -d /sysroot/objects 2>/dev/null | wc -l)"
            say checkout "$(hacktree checkout debian /sysroot/c2 2>&1 >/dev/null; echo $?)"
            say refs "$(hacktree refs | grep -c debian)"
            say linked "$(stat -c %h /run/disk/c2/bin/bash)"
            """);
        result.RequireRunning();
        Assert.Equal("/dev/vda[/c1] rw,relatime", result["root"]);
        Assert.Contains("show it with `mkdir -p /sysroot && mount /dev/block/", result["hidden"], StringComparison.Ordinal);
        Assert.Equal("0", result["mounted"]);
        Assert.NotEqual("0", result["refs"]);
        Assert.EndsWith("0", result["checkout"], StringComparison.Ordinal);
        Assert.NotEqual("1", result["linked"]);
    }

    [Fact]
    public void A_root_that_is_missing_is_named_and_nothing_else_boots()
    {
        using var directory = new TempDirectory();
        BootResult result = disk.Boot("classic-missing", Patched(directory), "subroot=c9", "");
        Assert.Contains("Cannot enter subroot=c9: no such directory on /dev/vda.", result.LogOfPrograms, StringComparison.Ordinal);
        Assert.DoesNotContain("systemd[1]", result.Log, StringComparison.Ordinal);
    }

    private static string Patched(TempDirectory directory)
    {
        string output = directory.At("initrd");
        Hacktree.Run("initrd", "patch", "--classic", "--init", ClassicBuild.Init, "--switch-root", ClassicBuild.SwitchRoot, BootRoot.Initrd, output).Succeeded();
        return output;
    }
}
