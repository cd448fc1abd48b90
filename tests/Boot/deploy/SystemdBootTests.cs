namespace HackTree.Tests.Boot;

/// <summary>
/// Deploys from inside a machine with UEFI and systemd-boot, and boots it with nobody there: a good root becomes the default, and from a bad one the
/// machine comes back. The guest's script does one step in each boot of a good root.
/// </summary>
[Collection(BootCollection.Name)]
public sealed class SystemdBootTests : IDisposable
{
    private const string CheckScript =
        Qemu.ScriptHead +
        """
        say state "$(systemctl is-system-running --wait)"
        say failed "$(systemctl --failed --plain --no-legend)"
        say commandline "$(cat /proc/cmdline)"
        say efi "$(findmnt -n -o SOURCE,FSTYPE /boot/efi)"
        say came "$(ls /boot/efi/loader/entries)"
        step=$(cat /var/step); echo $((step + 1)) > /var/step
        case $step in
        1) say did "$(hacktree deploy -q debian/bookworm)" ;;
        2) say did "$(hacktree deploy -q --tries 2 bad)" ;;
        3) say did "$(hacktree rollback)" ;;
        esac
        say entries "$(ls /boot/efi/loader/entries)"
        say copies "$(ls /boot/efi/hacktree/*)"
        say options "$(grep -h ^options /boot/efi/loader/entries/r1*)"
        say status "$(hacktree status --json)"
        say fsck "$(hacktree fsck -q 2>&1; echo $?)"
        say end reached
        systemctl poweroff
        """;

    private readonly ImageWorld world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public void On_a_disk_with_systemd_boot_a_good_root_becomes_the_default_and_from_a_bad_one_the_machine_comes_back()
    {
        ImageWorld.RequireUefi();
        string tree = world.MakeTreeWithProgram(CheckScript);
        File.AppendAllText(Path.Combine(tree, "etc/fstab"), "LABEL=ESP /boot/efi vfat umask=0077 0 1\n");
        string disk = world.MakeDisk(tree, "--uefi");
        const string bad =
            """
            grep -c vfat r0/etc/fstab; echo 1 > var/step
            $H checkout -q --copy debian/bookworm bad; mkdir -p bad/etc/hacktree/health.d; rm bad/etc/systemd/system/multi-user.target.wants/check.service
            cat > bad/etc/hacktree/health.d/10-planted <<'EOF'
            #!/bin/sh
            if [ -e /var/panicked ]; then echo planted; exit 7; fi
            touch /var/panicked; sync; echo c > /proc/sysrq-trigger
            EOF
            chmod 755 bad/etc/hacktree/health.d/10-planted
            $H commit -q -b bad bad > /dev/null; $H roots rm bad
            """;
        Assert.Equal("1\n", ImageWorld.Edit(disk, bad));

        BootResult first = Boot(disk, "sdboot-first", " subroot=r0");
        Assert.Equal(("r0.conf;", "r1"), (first["came"] + ";", first["did"]));
        Assert.Equal("r0.conf;r1+3.conf", first["entries"]);
        Assert.EndsWith(" subroot=r1 subroot.trial subroot.fallback=r0 panic=10", first["options"], StringComparison.Ordinal);

        // It boots with one try used, and says that it is good. Both roots share one kernel.
        BootResult good = Boot(disk, "sdboot-good", " subroot=r1 subroot.trial subroot.fallback=r0 panic=10");
        Assert.Equal(("r0.conf;r1.conf", "r2"), (good["came"], good["did"]));
        Assert.Equal("r0.conf;r1.conf;r2+2.conf", good["entries"]);
        Assert.EndsWith(" subroot=r1", good["options"], StringComparison.Ordinal);
        Assert.Equal(3, good["copies"].Split(';').Count(line => line.Length > 0 && !line.EndsWith(':')));

        // The first try of the bad one ends in a kernel panic, and in the second its check fails. Each restarts the machine. The next start is that of
        // the root before, and says why.
        BootResult panic = ImageWorld.Run("sdboot-panic", disk, "--uefi");
        Assert.Contains("Kernel panic", panic.Log, StringComparison.Ordinal);
        BootResult check = ImageWorld.Run("sdboot-bad", disk, "--uefi");
        Assert.Contains("/r2 is the root, read-only", check.Log, StringComparison.Ordinal);
        BootResult back = Boot(disk, "sdboot-back", " subroot=r1");
        Assert.Equal(("r0.conf;r1.conf;r2+0-2.conf", "r1"), (back["came"], back["did"]));
        Assert.Contains("10-planted ended with 7: planted", back["status"], StringComparison.Ordinal);
        Assert.Equal("r0.conf;r1-1.conf", back["entries"]);
    }

    private static BootResult Boot(string disk, string name, string commandLine)
    {
        BootResult boot = ImageWorld.Run(name, disk, "--uefi");
        boot.RequireRunning();
        Assert.EndsWith(commandLine, boot["commandline"].TrimEnd(';', ' '), StringComparison.Ordinal);
        Assert.Equal("/dev/vda1 vfat", boot["efi"]);
        Assert.Equal("0", boot["fsck"]);
        return boot;
    }
}
