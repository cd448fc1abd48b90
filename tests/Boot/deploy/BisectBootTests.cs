namespace HackTree.Tests.Boot;

/// <summary>A bisect on disks that boot, with nobody there. Then the last of the commits is staged in it.</summary>
[Collection(BootCollection.Name)]
public sealed class BisectBootTests : IDisposable
{
    // The machine switches itself off when it is back on its default root. With systemd-boot it begins the bisect too: a disk's entries on FAT can be
    // changed only where the kernel knows FAT.
    private const string CheckScript =
        Qemu.ScriptHead +
        """
        if [ -e /var/begin ]; then
            rm /var/begin
            say began "$(hacktree bisect --reboot --check '[ $(cat /usr/lib/number) -lt 3 ]' debian/bookworm~4 debian/bookworm 2>&1)"
            exit
        fi
        say number "$(cat /usr/lib/number)"
        grep -q subroot.trial /proc/cmdline && [ ! -e /etc/late ] && exit
        say state "$(systemctl is-system-running --wait)"
        say failed "$(systemctl --failed --plain --no-legend)"
        say bisect "$(hacktree bisect status)"
        say status "$(hacktree status)"
        say left "$(find /etc /sysroot/var/lib/hacktree -name '*bisect*')"
        if [ ! -e /etc/late ]; then
            if mountpoint -q /boot/efi; then
                printf '[Automount]\nWhere=/boot/efi\nTimeoutIdleSec=1\n' > /run/systemd/system/boot-efi.automount
                systemctl daemon-reload
                systemctl stop boot-efi.mount
                systemctl start boot-efi.automount
                ls /boot/efi > /dev/null
                sleep 5
                say unused "$(findmnt -n -o FSTYPE /boot/efi)"
            fi
            say staged "$(hacktree deploy -q --stage debian/bookworm 2>&1; hacktree status --json)"
            sleep 5
            say unit "$(systemctl is-active hacktree-stage)"
            echo late > /etc/late
        fi
        say late "$(cat /etc/late)"
        say end reached
        systemctl poweroff
        """;

    private readonly ImageWorld world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public void The_first_bad_of_eight_commits_is_found_in_three_tries_and_a_staged_root_is_tried_after_the_shutdown()
    {
        string disk = MakeDisk(8);
        const string begin = "$H bisect --reboot --check '[ $(cat /usr/lib/number) -lt 6 ]' debian/bookworm~8 debian/bookworm";
        Assert.Contains("commit 4; 3 tries left at most", ImageWorld.Edit(disk, begin), StringComparison.Ordinal);

        string[] tried = [Run(disk, "bisect-1")["number"], Run(disk, "bisect-2")["number"], Run(disk, "bisect-3")["number"]];
        Assert.Equal(["4", "6", "5"], tried);
        RequireFound(Run(disk, "bisect-4"), 6);
        RequireStaged(Run(disk, "bisect-5"), 8);
    }

    [Fact]
    public void With_systemd_boot_the_first_bad_of_four_commits_is_found_and_a_staged_root_is_tried_after_the_shutdown()
    {
        ImageWorld.RequireUefi();
        string disk = MakeDisk(4, "--uefi");
        ImageWorld.Edit(disk, "touch var/begin");
        Assert.Contains("commit 2; 2 tries left at most", Run(disk, "sdboot-bisect-0", ImageWorld.Firmware)["began"], StringComparison.Ordinal);

        string[] tried = [Run(disk, "sdboot-bisect-1", ImageWorld.Firmware)["number"], Run(disk, "sdboot-bisect-2", ImageWorld.Firmware)["number"]];
        Assert.Equal(["2", "3"], tried);
        BootResult found = Run(disk, "sdboot-bisect-3", ImageWorld.Firmware);
        RequireFound(found, 3);
        Assert.Equal("autofs", found["unused"]);
        RequireStaged(Run(disk, "sdboot-bisect-4", ImageWorld.Firmware), 4);
    }

    /// <summary>Makes a disk with the root r0 of a commit, and a number of commits after that one.</summary>
    private string MakeDisk(int commits, params string[] options)
    {
        ImageWorld.Require();
        string tree = world.MakeTreeWithProgram(CheckScript);
        File.WriteAllText(Path.Combine(tree, "usr/lib/number"), "0\n");
        string disk = world.MakeDisk(tree, options);
        ImageWorld.Edit(
            disk,
            $"""
            $H checkout -q --copy debian/bookworm w
            for i in $(seq {commits}); do echo $i > w/usr/lib/number; $H commit -q -b debian/bookworm -m "commit $i" w; done > /dev/null
            $H roots rm w
            """);
        return disk;
    }

    private static void RequireFound(BootResult back, int bad)
    {
        back.RequireRunning();
        Assert.Equal("0", back["number"]);
        Assert.Contains($" is the first bad commit: commit {bad};M usr/lib/number", back["bisect"], StringComparison.Ordinal);
        Assert.Contains("zz-bisect ended with 1", back["bisect"], StringComparison.Ordinal);
        Assert.Matches("^r0 +running, default [^;]*;?$", back["status"]);
        Assert.Equal("/sysroot/var/lib/hacktree/bisect", back["left"].TrimEnd(';'));
        Assert.StartsWith("r1;", back["staged"], StringComparison.Ordinal);
        Assert.Contains("\"staged\":true", back["staged"], StringComparison.Ordinal);
        Assert.Equal("active", back["unit"]);
    }

    /// <summary>What was edited after staging is in the root that the shutdown put on trial.</summary>
    private static void RequireStaged(BootResult staged, int last)
    {
        staged.RequireRunning();
        Assert.Equal(($"{last}", "late"), (staged["number"], staged["late"]));
        Assert.Contains("r1  running, default", staged["status"], StringComparison.Ordinal);
    }

    private static BootResult Run(string disk, string name, params string[] firmware) => Qemu.Run(name, [.. ImageWorld.Drive(disk), .. firmware]);
}
