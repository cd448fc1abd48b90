using System.Globalization;
using System.Text.Json;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>What `deploy` chooses, refuses and leaves, on a disk that is not booted.</summary>
public sealed class DeployTests : IDisposable
{
    private readonly DeployWorld world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public void A_deployed_root_is_on_trial_and_a_rollback_ends_that()
    {
        Assert.Equal("r1\n", world.Shell("$H deploy --force os"));
        Assert.Equal("r0: default; r1: trial 3", world.States());
        Assert.Equal("r0\n", world.Shell("$H rollback"));
        Assert.Equal("r0: default; r1: spare", world.States());
    }

    [Fact]
    public void A_dry_run_says_what_would_be_done_and_does_nothing()
    {
        string before = world.Shell("find . -printf '%P %i %T@ %s\\n' | sort");
        ToolResult run = world.Try("$H deploy --force --dry-run os");
        Assert.Equal("r1\n", run.Succeeded());
        Assert.Contains($"r1 would be made: commit {world.Shell("$H log --json os").Split('"')[3][..8]}", run.Error, StringComparison.Ordinal);
        Assert.Contains($"kernel {DeployWorld.Kernel}, at most ", run.Error, StringComparison.Ordinal);
        Assert.Equal(before, world.Shell("find . -printf '%P %i %T@ %s\\n' | sort"));
    }

    [Fact]
    public void A_dry_run_says_what_would_become_of_etc()
    {
        world.Shell("echo 1 > $T/etc/both; $H commit -q -b os $T; $H checkout -q --boot os r1; $H default -q r1; echo 2 > r1/etc/both; echo own > r1/etc/own; echo 3 > $T/etc/both; $H commit -q -b os $T");
        ToolResult run = world.Try("$H deploy --force --dry-run --json os");
        JsonElement foreseen = JsonDocument.Parse(run.Succeeded()).RootElement;
        Assert.Contains("/etc: 2 changes of r1 would be carried over; for 1 file of them the commit's own would be put beside as NAME.hacktree-new\n", run.Error, StringComparison.Ordinal);
        JsonElement done = JsonDocument.Parse(world.Shell("$H deploy -q --force --json os")).RootElement;
        Assert.Equal(done.GetProperty("etc").GetRawText(), foreseen.GetProperty("etc").GetRawText());
        Assert.Equal("r1", foreseen.GetProperty("etcFrom").GetString());
    }

    [Theory]
    [InlineData("true", DeployWorld.Kernel)]
    [InlineData("mkdir $T/usr/lib/modules/6.1.0-9-test", DeployWorld.Kernel)]
    [InlineData("mv $T/usr/lib/modules/6.1.0-10-test $T/usr/lib/modules/6.1.0-9-test", "6.1.0-9-test")]
    [InlineData("mv $T/usr/lib/modules $T/usr/lib/x; ln -s x $T/usr/lib/modules", DeployWorld.Kernel)]
    [InlineData("for f in vmlinuz initrd.img; do cp $T/boot/$f-6.1.0-10-test $T/boot/$f-6.1.0-11-own; done", DeployWorld.Kernel)]
    [InlineData("for f in vmlinuz initrd.img; do cp $T/boot/$f-6.1.0-10-test $T/boot/$f-6.1.0-11-own; done; mkdir $T/usr/lib/modules/6.1.0-11-own", "6.1.0-11-own")]
    [InlineData("cp $T/boot/vmlinuz-6.1.0-10-test $T/boot/vmlinuz-7-own; mkdir $T/usr/lib/modules/7-own", DeployWorld.Kernel)]
    [InlineData("for f in vmlinuz initrd.img; do cp boot/$f-6.1.0-10-test boot/$f-6.2.0-other; done", DeployWorld.Kernel)]
    public void The_newest_kernel_whose_modules_the_root_has_is_booted(string change, string kernel) =>
        Assert.Contains($"kernel {kernel},", world.Try($"{change}; $H commit -q -b os $T; $H deploy --force os").Error, StringComparison.Ordinal);

    [Theory]
    [InlineData("rm -r $T/usr/lib/modules/*", "has no /usr/lib/modules/6.1.0-10-test, and that is the kernel which would boot")]
    [InlineData("rm $T/usr/sbin/init", "has no /sbin/init")]
    [InlineData("rm boot/vmlinuz* $T/boot/vmlinuz*", "boot has a kernel with an initrd")]
    [InlineData("for f in vmlinuz initrd.img; do echo no > $T/boot/$f-8-own; done; mkdir $T/usr/lib/modules/8-own", "r1/boot/initrd.img-8-own: ")]
    [InlineData("echo > boot/grub/grub.cfg", "counts no tries")]
    [InlineData("truncate -s 1000 boot/grub/grubenv", "it is no environment block of GRUB")]
    public void What_could_not_boot_is_refused_and_leaves_no_root(string change, string words)
    {
        ToolResult run = world.Try($"{change}; $H commit -q -b os $T; cp boot/grub/grubenv before; $H deploy -q --force os");
        Assert.Equal(1, run.ExitCode);
        Assert.Contains(words, run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.TrimEnd().Split('\n'));
        Assert.Equal("objects r0\n", world.Shell("cmp boot/grub/grubenv before; ls -dA objects r? .r?.partial 2> /dev/null | tr '\\n' ' ' | sed 's/ $/\\n/'"));
    }

    [Fact]
    public void A_roots_kernel_options_are_its_own_and_keep_what_the_menu_says_of_the_disk()
    {
        Assert.Equal("quiet console=ttyS0\n", world.Shell("$H kargs"));
        Assert.Equal("console=ttyS0 a b=c,d\n", world.Shell("$H kargs r0 --delete quiet --append a --append b=c,d"));
        Assert.Equal("console=tty0 a b=c,d\n", world.Shell("$H kargs --replace console=tty0"));
        string file = world.Shell("stat -c %s r0/etc/hacktree/kernel-options; grep -a -o '.* b=c,d$' r0/etc/hacktree/kernel-options");
        Assert.Equal("1024\nhacktree_options=console=tty0 a b=c,d\n", file);
        foreach ((string change, string words) in new[]
        {
            ("--append root=/dev/sda", "root= is the boot menu's own"),
            ("--replace subroot=r7", "subroot= is the boot menu's own"),
            ("--append 'a b'", "cannot be an option"),
            ("--delete quiet", "there is no option quiet"),
            ($"--append {new string('x', 1000)}", "its 1024 bytes are full"),
        })
        {
            ToolResult refused = world.Try($"$H kargs {change}");
            Assert.Equal(1, refused.ExitCode);
            Assert.Contains(words, refused.Error, StringComparison.Ordinal);
        }

        Assert.Equal("console=tty0 a b=c,d\n", world.Shell("$H kargs"));
        Assert.Contains("made without --boot", world.Try("$H checkout -q os plain; $H kargs plain --append x").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void What_boots_next_is_not_removed_and_a_removed_root_is_forgotten()
    {
        Assert.Contains("the machine would boot it next; `hacktree default`", world.Try("$H roots rm r0").Error, StringComparison.Ordinal);
        world.Shell("$H deploy -q --force os");
        Assert.Contains("the machine would boot it next", world.Try("$H roots rm r1").Error, StringComparison.Ordinal);
        world.Shell("$H default r1; $H roots rm r0");
        Assert.Equal("r1: default", world.States());
        Assert.Contains("no root was the default before r1", world.Try("$H rollback").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_converted_disks_root_without_a_record_is_one_to_go_back_to()
    {
        world.Shell("cp -a r0 old; $H deploy -q --force os; $H default old; $H default r1");
        Assert.Equal("old: rollback; r0: spare; r1: default", world.States());
        Assert.Equal("old\n", world.Shell("$H rollback"));
    }

    [Fact]
    public void Roots_that_nothing_calls_for_go_with_what_only_they_need_and_gc_frees_what_it_announced()
    {
        world.Shell(
            """
            for i in 1 2 3 4 5 6; do head -c 50000 /dev/urandom > $T/usr/own; $H commit -q -b os $T; $H deploy -q --force os > /dev/null; done
            $H checkout -q os plain; $H roots pin r3; $H default r1; $H default r6; rm -rf r6/usr/own
            """);
        Assert.Equal("plain: spare; r0: spare; r1: rollback; r2: spare; r3: spare; r4: spare; r5: spare; r6: default", world.States());
        string announced = world.Shell("$H gc --keep 1 --depth 0 --dry-run"), before = world.Shell("ls; du -s --block-size=1 objects/files");
        Assert.Contains("would remove 3 roots: r0, r2, r4\nwould remove ", announced, StringComparison.Ordinal);
        Assert.Equal(before, world.Shell("ls; du -s --block-size=1 objects/files"));
        string done = world.Shell("$H gc --keep 1 --depth 0");
        Assert.Equal(announced.Replace("would remove", "removed", StringComparison.Ordinal).Replace("would stay", "stay", StringComparison.Ordinal), done);
        Assert.Equal("plain: spare; r1: rollback; r3: spare; r5: spare; r6: default", world.States());
        Assert.Contains(" 0 B freed", world.Shell("$H gc --keep 1 --depth 0"), StringComparison.Ordinal);
        Assert.Equal(0, world.Try("$H fsck -q").ExitCode);
    }

    [Fact]
    public void The_disk_that_a_root_alone_holds_is_what_its_removal_frees()
    {
        world.Shell(
            """
            for i in 1 2; do head -c 90000 /dev/urandom > $T/usr/own; $H commit -q -b os$i $T; $H deploy -q --force os$i > /dev/null; $H default -q r$i; done
            $H refs delete os1; head -c 70000 /dev/urandom > r1/etc/log
            """);
        Assert.Contains("root r1: rollback; gc keeps it, with any --keep\n", world.Shell("$H gc --explain r1"), StringComparison.Ordinal);
        Assert.Contains("root r0: spare; gc keeps it, and gc --keep N", world.Shell("$H gc --explain r0"), StringComparison.Ordinal);
        Assert.Contains("root r0: nothing holds it, gc would remove it", world.Shell("$H gc --explain r0 --keep 0"), StringComparison.Ordinal);
        world.Shell("$H default -q r0; $H default -q r2; $H gc -q");
        Assert.Matches("(?m)^r1 +spare +[0-9a-f]{16} +[0-9.]+ kB ", world.Shell("$H status --disk"));
        JsonElement root = JsonDocument.Parse(world.Shell("$H status --disk --json")).RootElement[1];
        (long own, long freed) = (root.GetProperty("ownBytes").GetInt64(), root.GetProperty("freedBytes").GetInt64());
        Assert.True(own > 70000 && freed >= 90000, $"{own} {freed}");
        string space = "du -s --block-size=1 r? objects/files | awk '{ sum += $1 } END { print sum }'", before = world.Shell(space);
        world.Shell("$H roots rm r1; $H gc");
        Assert.Equal(own + freed, long.Parse(before, CultureInfo.InvariantCulture) - long.Parse(world.Shell(space), CultureInfo.InvariantCulture));
    }

    [Fact]
    public void A_root_that_cannot_be_removed_keeps_what_it_needs()
    {
        world.Shell("for i in 1 2; do echo $i > $T/usr/own; $H commit -q -b os $T; $H deploy -q --force os > /dev/null; $H default r$i; done");
        ToolResult run = world.Try("cd r0; sleep 60 & cd ..; trap 'kill $!' EXIT; $H gc --keep 0 --depth 0");
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("r0: ", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("removed 1 root", run.Output, StringComparison.Ordinal);
        Assert.Equal("r0: spare; r1: rollback; r2: default", world.States());
        Assert.Equal(0, world.Try("$H fsck -q").ExitCode);
        Assert.Contains("removed 1 root: r0", world.Shell("$H gc --keep 0 --depth 0"), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_boot_loader_nobody_can_tell_which_roots_are_called_for()
    {
        ToolResult refused = world.Try("rm boot/grub/grub.cfg; $H gc --keep 0");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("no boot loader here can start a root on trial", refused.Error, StringComparison.Ordinal);
        Assert.Equal("r0\n", world.Shell("ls -d r?"));
    }

    [Fact]
    public void An_upgrade_from_a_remote_pulls_what_is_new_and_deploys_it()
    {
        string update = world.Shell("""
            $H push -q os ../layout
            $H remote add origin ../layout
            ${H% --store*} clone -q ../layout ../maker
            echo new > $T/usr/new
            made=$(${H% --store*} --store ../maker commit -q -b os $T)
            ${H% --store*} --store ../maker push -q os ../layout
            echo $made
            """).Trim();
        Assert.Contains("would be", world.Try("$H upgrade --force --dry-run origin:os").Error, StringComparison.Ordinal);
        Assert.Equal("r0: default", world.States());
        world.Shell("$H upgrade -q --force origin:os");
        Assert.Equal("r0: default; r1: trial 3", world.States());
        Assert.Equal(update, world.Shell("$H show --json os | sed 's/.*\"commit\":\"\\([0-9a-f]*\\)\".*/\\1/'").Trim());
        Assert.Equal("new", world.Shell("cat r1/usr/new").Trim());
        Assert.Contains("is on trial already", world.Try("$H upgrade --force origin:os").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void An_upgrade_deploys_what_is_new_and_nothing_that_failed_or_was_left_again()
    {
        Assert.Contains("r0, a root of os, is what boots already", Upgrade(0), StringComparison.Ordinal);
        world.Shell("echo 1 > $T/usr/own; $H commit -q -b os $T");
        Assert.Contains("on trial from the next boot on, 3 times", Upgrade(0), StringComparison.Ordinal);
        Assert.Contains("r1, a root of os, is on trial already", Upgrade(0), StringComparison.Ordinal);
        world.Shell("sed -i 's/tries=3/tries=0/' boot/grub/grubenv");
        Assert.Contains("r1, a root of os, was tried and is not good", Upgrade(1), StringComparison.Ordinal);
        world.Shell("$H deploy -q --force os > /dev/null; $H default r2");
        Assert.Contains("r2, a root of os, is what boots already", Upgrade(0), StringComparison.Ordinal);
        world.Shell("$H rollback; $H roots rm r1");
        Assert.Contains("r2, a root of os, was gone back from", Upgrade(0), StringComparison.Ordinal);
        Assert.Equal("r0: default; r2: rollback", world.States());
        Assert.Contains("other: there is no such ref", world.Try("$H upgrade --force other").Error, StringComparison.Ordinal);
    }

    private string Upgrade(int code)
    {
        ToolResult run = world.Try("$H upgrade --force");
        Assert.Equal(code, run.ExitCode);
        return run.Error;
    }

    [Fact]
    public void The_menu_of_a_converted_disk_is_found_in_custom_cfg_and_its_environment_made()
    {
        world.Shell("mv boot/grub/grub.cfg boot/grub/custom.cfg; echo 'source custom.cfg' > boot/grub/grub.cfg; rm boot/grub/grubenv; $H deploy -q --force os");
        Assert.Equal("r0: default; r1: trial 3", world.States());
        Assert.Equal("1024\n", world.Shell("stat -c %s boot/grub/grubenv"));
    }

    [Fact]
    public void A_deploy_that_is_killed_at_any_time_leaves_what_booted_or_a_whole_root_on_trial()
    {
        world.Shell("echo 1 > $T/usr/own; $H commit -q -b os $T; cp boot/grub/grubenv before");
        for (int i = 0; i < 30; i++)
        {
            world.Shell($"timeout -s KILL 0.{Random.Shared.Next(1, 250):000} $H deploy -q --force os > /dev/null 2>&1 || true");
            Assert.StartsWith("r0: default", world.States(), StringComparison.Ordinal);
            world.Shell(
                """
                trial=$(grep -a -o 'hacktree_trial=.*' boot/grub/grubenv | cut -d= -f2); [ $(stat -c %s boot/grub/grubenv) = 1024 ]
                if [ -z "$trial" ]; then cmp boot/grub/grubenv before; else [ "$(cat $trial/usr/own)" = 1 ]; $H roots check $trial; fi
                $H default r0; cp boot/grub/grubenv before
                """);
        }

        // The first gc completes the record of a root whose maker was killed right before it wrote that; only then it is one that can go.
        world.Shell("$H gc > /dev/null; $H gc --keep 0 > /dev/null; $H fsck -q");
        Assert.Equal("r0: default", world.States());
        Assert.Equal("r1\n", world.Shell("$H deploy -q --force os"));
    }

    [Fact]
    public void A_disk_without_room_for_the_root_is_found_full_before_anything_is_made()
    {
        using var disk = new LoopFilesystem("ext4", 64);
        ToolResult run = world.Try($"cp -a . {disk.Path}; cd {disk.Path}; dd if=/dev/zero of=full bs=4k status=none 2> /dev/null || true; truncate -s -20k full; $H deploy -q --force os");
        Assert.Equal(1, run.ExitCode);
        Assert.Matches(" a root of os takes 1 MB, and 0 MB are free; free some and try again", run.Error);
        Assert.False(Directory.Exists(disk.At("r1")));
    }
}
