using System.Globalization;
using HackTree.Tests.Cli;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>
/// `upgrade --automatic` on a disk that is not booted. It sees an /etc of its own in a mount namespace, a clock that faketime(1) sets, and a systemctl that
/// only notes what it is told.
/// </summary>
public sealed class AutomaticUpgradeTests : IDisposable
{
    private const string Listing = "find . -printf '%P %i %T@ %s\\n' | sort";

    private readonly DeployWorld world = new();

    public AutomaticUpgradeTests()
    {
        Tools.Require("faketime");
        world.Shell("""
            mkdir ../bin; cp -a /etc ../etc; rm -rf ../etc/hacktree ../etc/localtime; mkdir ../etc/hacktree; ln -s /usr/share/zoneinfo/Europe/Berlin ../etc/localtime
            printf '#!/bin/sh\necho "$@" >> %s/../said\n' "$PWD" > ../bin/systemctl; chmod +x ../bin/systemctl; : > ../said
            echo new > $T/usr/new; $H commit -q -b os $T
            """);
        Clock("2026-12-05 03:30 +01:00");
    }

    private string Said => File.ReadAllText(world.At("said"));

    public void Dispose() => world.Dispose();

    [Fact]
    public void Without_settings_it_upgrades_and_restarts_at_night_and_does_nothing_by_day()
    {
        string before = world.Shell(Listing);
        Clock("2026-12-05 12:00 +01:00");
        Assert.Equal("hacktree: nothing is upgraded now; the next maintenance window begins Sun 2026-12-06 03:00\n", Upgrade());
        Assert.Equal(before, world.Shell(Listing));
        Assert.Equal("null", Try("upgrade --automatic -q --json").Succeeded().Trim());
        Assert.Equal("", Said);

        Clock("2026-12-05 04:59:59 +01:00");
        Assert.Contains("on trial from the next boot on, 3 times", Upgrade(), StringComparison.Ordinal);
        Assert.Equal(("r0: default; r1: trial 3", "reboot\n"), (world.States(), Said));
    }

    [Fact]
    public void By_hand_it_upgrades_at_any_time_and_restarts_only_if_told()
    {
        Clock("2026-12-05 12:00 +01:00");
        Try("upgrade --force").Succeeded();
        Assert.Equal(("r0: default; r1: trial 3", ""), (world.States(), Said));
    }

    [Fact]
    public void Windows_are_in_the_time_zone_of_the_machine_or_of_TZ()
    {
        Settings("Window=Sat 13:00-14:00");
        Clock("2026-12-05 12:30 +00:00");
        Assert.Contains("would be made", Upgrade("--dry-run"), StringComparison.Ordinal);
        Assert.Contains("window begins Sat 2026-12-12 13:00", Upgrade("--dry-run", "TZ=Asia/Tokyo"), StringComparison.Ordinal);
        world.Shell("ln -sf /usr/share/zoneinfo/America/New_York ../etc/localtime");
        Assert.Contains("window begins Sat 2026-12-05 13:00", Upgrade("--dry-run"), StringComparison.Ordinal);
        Assert.Contains("would be made", Upgrade("--dry-run", "TZ=Europe/Berlin"), StringComparison.Ordinal);
    }

    [Fact]
    public void Settings_name_the_ref_and_leave_the_restart_to_somebody()
    {
        world.Shell("$H push -q os ../layout; $H remote add origin ../layout; $H refs set base os; $H refs delete os");
        Settings("Reboot=no", "Ref=origin:os");
        Upgrade();
        Assert.Equal(("r0: default; r1: trial 3", ""), (world.States(), Said));
        Assert.Contains("r1, a root of os, is on trial already", Try("upgrade --force").Error, StringComparison.Ordinal);
        Upgrade("base --reboot");
        Assert.Equal("reboot\n", Said);
    }

    /// <summary>The command is stopped when it syncs what it pulled, or the root that it made, until the window is over.</summary>
    [Fact]
    public void After_the_end_of_a_window_no_deploy_and_no_restart_is_begun()
    {
        world.Shell("$H push -q os ../layout; $H remote add origin ../layout; $H refs set os os^ || $H refs delete os; $H gc -q > /dev/null");
        Assert.Contains("os was pulled and is not deployed now; the next maintenance window begins Sun 2026-12-06 03:00", UpgradeUntil("2026-12-05 12:00 +01:00", "origin:os"), StringComparison.Ordinal);
        Assert.Equal(("r0: default", ""), (world.States(), Said));

        Clock("2026-12-06 03:30 +01:00");
        Assert.Contains("the machine is not restarted now; the next maintenance window begins Mon 2026-12-07 03:00", UpgradeUntil("2026-12-06 12:00 +01:00", "os"), StringComparison.Ordinal);
        Assert.Equal(("r0: default; r1: trial 3", ""), (world.States(), Said));
    }

    [Fact]
    public void A_restart_that_is_missing_is_made_up_for_in_the_next_window_but_only_once()
    {
        Settings("Reboot=no");
        Upgrade();
        Settings("Reboot=yes");
        Clock("2026-12-05 12:00 +01:00");
        Upgrade();
        Assert.Equal("", Said);
        Clock("2026-12-05 04:30 +01:00");
        Assert.Contains("r1, a root of os, is on trial already", Upgrade(), StringComparison.Ordinal);
        Assert.Equal("reboot\n", Said);

        // As after a start that was not by way of the root: /proc/uptime counts from then.
        Clock("2036-12-05 03:30 +01:00");
        Assert.Contains("r1, a root of os, is on trial already", Upgrade(), StringComparison.Ordinal);
        Assert.Equal(("r0: default; r1: trial 3", "reboot\n"), (world.States(), Said));
    }

    [Fact]
    public void Wrong_settings_are_refused_by_hand_too()
    {
        Settings("Windows=03:00-05:00");
        foreach (string command in new[] { "upgrade --force --automatic", "upgrade --force os" })
        {
            ToolResult refused = Try(command);
            Assert.Equal((1, ""), (refused.ExitCode, refused.Output));
            Assert.True(CliWorld.IsOneSentence(refused), refused.Error);
            Assert.Contains("/etc/hacktree/hacktree.conf, line 2: there is no setting Windows=; those of [Upgrade] are", refused.Error, StringComparison.Ordinal);
        }

        Assert.Equal("r0: default", world.States());
    }

    private void Settings(params string[] lines) => File.WriteAllLines(world.At("etc/hacktree/hacktree.conf"), ["[Upgrade]", .. lines]);

    private void Clock(string time)
    {
        File.WriteAllText(world.At("later"), Seconds(time));
        File.Move(world.At("later"), world.At("now"), overwrite: true);
    }

    private static string Seconds(string time) =>
        DateTimeOffset.Parse(time, CultureInfo.InvariantCulture).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);

    private string Upgrade(string options = "", string zone = "TZ=")
    {
        ToolResult run = Try($"upgrade --force --automatic {options}", zone);
        run.Succeeded();
        return run.Error;
    }

    /// <summary>Upgrades by a command that is stopped at its first syncfs(2). When it goes on, it is another time.</summary>
    private string UpgradeUntil(string time, string name)
    {
        Tools.Require("strace");
        ToolResult run = Try($"upgrade --force --automatic {name}", "TZ=", $$"""
            rm -f ../trace
            strace -f -qq -o ../trace -E LD_PRELOAD=$PRELOAD -e trace=syncfs -e signal=SIGSTOP -e inject=syncfs:signal=SIGSTOP:when=1 $COMMAND &
            until stopped=$(grep -m 1 'stopped by SIGSTOP' ../trace 2> /dev/null); do kill -0 $! || exit 9; sleep 0.01; done
            echo {{Seconds(time)}} > ../later; mv ../later ../now; kill -CONT ${stopped%% *}; wait $!
            """);
        run.Succeeded();
        return run.Error;
    }

    private ToolResult Try(string arguments, string zone = "TZ=", string script = "LD_PRELOAD=$PRELOAD $COMMAND")
    {
        File.WriteAllText(world.At("script"), script);
        return world.Try($$"""
            unshare -m bash -ec '
                mount --bind ../etc /etc; export PATH=$PWD/../bin:$PATH {{zone}} COMMAND="$H {{arguments}}"; [ -n "$TZ" ] || unset TZ
                export FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_NO_CACHE=1 FAKETIME_FMT=%s FAKETIME_TIMESTAMP_FILE=$PWD/../now
                export PRELOAD=$(faketime 2026-01-01 printenv LD_PRELOAD)
                . ../script'
            """);
    }
}
