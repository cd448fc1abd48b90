namespace HackTree.Tests.Boot;

/// <summary>A bisect over eight commits on a disk that boots, with nobody there. Then the last of the commits is staged in it.</summary>
[Collection(BootCollection.Name)]
public sealed class BisectBootTests : IDisposable
{
    // The machine switches itself off when it is back on its default root.
    private const string CheckScript =
        Qemu.ScriptHead +
        """
        say number "$(cat /usr/lib/number)"
        grep -q subroot.trial /proc/cmdline && [ ! -e /etc/late ] && exit
        say state "$(systemctl is-system-running --wait)"
        say failed "$(systemctl --failed --plain --no-legend)"
        say bisect "$(hacktree bisect status)"
        say status "$(hacktree status)"
        say left "$(find /etc /sysroot/var/lib/hacktree -name '*bisect*')"
        if [ ! -e /etc/late ]; then
            say staged "$(hacktree deploy -q --stage debian/bookworm 2>&1; hacktree status --json)"
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
        ImageWorld.Require();
        string tree = world.MakeTreeWithProgram(CheckScript);
        File.WriteAllText(Path.Combine(tree, "usr/lib/number"), "0\n");
        string disk = world.MakeDisk(tree);
        const string commits =
            """
            $H checkout -q --copy debian/bookworm w
            for i in 1 2 3 4 5 6 7 8; do echo $i > w/usr/lib/number; $H commit -q -b debian/bookworm -m "commit $i" w; done > /dev/null
            $H roots rm w; $H bisect --reboot --check '[ $(cat /usr/lib/number) -lt 6 ]' debian/bookworm~8 debian/bookworm
            """;
        Assert.Contains("commit 4; 3 tries left at most", ImageWorld.Edit(disk, commits), StringComparison.Ordinal);

        string[] tried = [Run(disk, 1)["number"], Run(disk, 2)["number"], Run(disk, 3)["number"]];
        Assert.Equal(["4", "6", "5"], tried);
        BootResult back = Run(disk, 4);
        back.RequireRunning();
        Assert.Equal("0", back["number"]);
        Assert.Contains(" is the first bad commit: commit 6;M usr/lib/number", back["bisect"], StringComparison.Ordinal);
        Assert.Contains("zz-bisect ended with 1", back["bisect"], StringComparison.Ordinal);
        Assert.Matches("^r0 +running, default [^;]*;?$", back["status"]);
        Assert.Equal("/sysroot/var/lib/hacktree/bisect", back["left"].TrimEnd(';'));

        // What was edited after staging is in the root that the shutdown put on trial.
        Assert.StartsWith("r1;", back["staged"], StringComparison.Ordinal);
        Assert.Contains("\"staged\":true", back["staged"], StringComparison.Ordinal);
        BootResult staged = Run(disk, 5);
        staged.RequireRunning();
        Assert.Equal(("8", "late"), (staged["number"], staged["late"]));
        Assert.Contains("r1  running, default", staged["status"], StringComparison.Ordinal);
    }

    private static BootResult Run(string disk, int number) => Qemu.Run($"bisect-{number}", ImageWorld.Drive(disk));
}
