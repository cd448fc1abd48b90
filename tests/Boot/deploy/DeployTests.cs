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
    public void A_system_that_runs_on_no_root_starts_none_by_kexec()
    {
        ToolResult run = world.Try("$H deploy -q --force --kexec os");
        Assert.Equal((1, 1), (run.ExitCode, run.Error.TrimEnd().Split('\n').Length));
        Assert.Contains("this system runs on no root of the store, so its kernel is not to start one", run.Error, StringComparison.Ordinal);
        Assert.Equal("r0: default", world.States());
    }

    [Fact]
    public void An_image_is_deployed_where_the_kernel_can_mount_it_and_upgraded_to_an_image()
    {
        ToolResult refused = world.Try("$H deploy -q --force --composefs os");
        Assert.Equal((1, 1), (refused.ExitCode, refused.Error.TrimEnd().Split('\n').Length));
        Assert.Contains($"the kernel {DeployWorld.Kernel} has no module erofs in the commit", refused.Error, StringComparison.Ordinal);
        Assert.Equal("r0: default", world.States());

        world.Shell($"cd $T/usr/lib/modules/{DeployWorld.Kernel}; printf 'kernel/erofs.ko\nkernel/overlay.ko\n' > modules.builtin; : > modules.dep");
        world.Shell("$H commit -q -b os $T; echo own > r0/etc/own");
        Assert.Equal("r1\n", world.Shell("$H deploy -q --force --composefs os"));
        Assert.Equal("own\nboot\netc\nhacktree.erofs\nusr\n", world.Shell("cat r1/etc/own; ls r1"));
        Assert.Equal("r0: default; r1: trial 3", world.States());
        Assert.Contains("image", world.Shell("$H roots | grep r1"), StringComparison.Ordinal);

        Assert.Equal("r2\n", world.Shell("$H default r1; echo new > $T/new; $H commit -q -b os $T > /dev/null; $H upgrade -q --force"));
        Assert.Equal("own\nr2/hacktree.erofs\n", world.Shell("cat r2/etc/own; ls r2/hacktree.erofs"));
        Assert.Contains("r1: it is a root that is an image", world.Try("$H commit -b os r1").Error, StringComparison.Ordinal);
        Assert.Equal("r0: spare; r1: rollback; r2: default", world.Shell("$H default r2; $H roots check -q; $H fsck -q") + world.States());
        Assert.Equal("r1\n", world.Shell("$H rollback; $H roots rm r2; [ ! -e r2 ]"));
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
            for i in 1 2 3 4 5 6; do head -c 50000 /dev/urandom > $T/usr/own; $H commit -q -b os $T; $H checkout -q --boot os r$i; done
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
    public void The_oldest_root_that_nothing_calls_for_is_turned_into_the_new_one_and_the_newest_of_them_stays()
    {
        MakeRoots(3);
        Assert.Equal("r0: spare; r1: spare; r2: rollback; r3: default", world.States());
        string before = world.Shell("$H kargs r0 --append leaked; echo own > r0/etc/own; ls -id r0 r1");
        ToolResult dry = world.Try("$H deploy --force --dry-run --json os");
        Assert.Equal("r0", JsonDocument.Parse(dry.Succeeded()).RootElement.GetProperty("spare").GetString());
        Assert.Contains("r4 would be made of r0: commit ", dry.Error, StringComparison.Ordinal);
        Assert.Equal(before.Split('\n', 2)[1], world.Shell("ls -id r0 r1"));

        ToolResult run = world.Try("$H deploy --force os");
        Assert.Equal("r4\n", run.Succeeded());
        Assert.Contains(", made of what was r0, on trial", run.Error, StringComparison.Ordinal);
        Assert.Equal("r1: spare; r2: rollback; r3: default; r4: trial 3", world.States());
        Assert.Equal($"{before.Split('\n')[1].Split(' ')[0]} r4\nquiet console=ttyS0\n", world.Shell("ls -id r4; $H kargs r4; [ ! -e r4/etc/own ]; diff -r r4/usr $T/usr; $H roots check -q r4"));

        // Of r1 and r4, which nothing calls for then, only the older one is taken.
        world.Shell("$H rollback; $H roots pin r1");
        Assert.DoesNotContain("made of", world.Try("$H deploy --force os").Error, StringComparison.Ordinal);
        world.Shell("$H default r0; $H roots unpin r1; $H deploy --force os");
        Assert.Equal("r0: default; r2: spare; r3: rollback; r4: spare; r5: trial 3", world.States());
        world.Shell("$H gc; $H fsck -q");
    }

    [Theory]
    [InlineData("$H roots pin r0; $H roots pin r1")]
    [InlineData("mkdir -p var/lib/hacktree/failed; for r in r0 r1; do echo why > var/lib/hacktree/failed/$r; done")]
    [InlineData("$H roots rm r0")]
    [InlineData("cd r0; sleep 60 & cd ..; trap \"kill $!\" EXIT")]
    [InlineData("f=$(cd r0; find usr -type f | head -1); echo changed > $T/$f; $H commit -q -b os $T; chattr +i r0/$f; trap \"chattr -i r0/$f\" EXIT")]
    [InlineData("chattr +i r0/etc/passwd; trap 'chattr -i r0/etc/passwd' EXIT")]
    public void Without_a_root_that_can_be_turned_into_the_new_one_that_is_made_anew(string change)
    {
        MakeRoots(3);
        ToolResult run = world.Try($"{change}; ls -d r? | xargs ls -id > before; $H deploy --force os; awk '{{ print $2 }}' before | xargs ls -id | cmp - before");
        Assert.True(run.ExitCode == 0, run.Error);
        Assert.DoesNotContain("made of", run.Error, StringComparison.Ordinal);
        Assert.Contains(" trial 3", world.States(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_root_that_boots_is_reused_by_a_checkout_if_nothing_calls_for_it()
    {
        Assert.Contains("the machine would boot it next", world.Try("$H checkout --boot --from r0 os r7").Error, StringComparison.Ordinal);
        MakeRoots(3);
        Assert.Contains("in what was ", world.Try("$H checkout --boot --reuse os r7").Error, StringComparison.Ordinal);
        Assert.Equal("r1: spare; r2: rollback; r3: default; r7: spare", world.States());
        world.Shell("$H checkout --boot --from r2 os r8");
        Assert.Contains("no root was the default before r3", world.Try("$H rollback").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_deploy_that_is_killed_while_it_changes_a_root_leaves_all_others_as_they_are()
    {
        Tools.Require("strace");
        MakeRoots(3);
        world.Shell("$H roots pin r1");
        bool isKilled = true;
        for (int number = 1; isKilled; number++)
        {
            world.Shell("$H gc -q --keep 0; $H checkout -q --boot os^ r0; $H checkout -q --boot os r4");
            const string calls = "renameat2,syncfs,linkat,unlinkat";
            ToolResult run = world.Try($"strace -f -qq -o /dev/null -e trace={calls} -e inject={calls}:signal=KILL:when={number} $H deploy -q --force os");
            Assert.True(run.ExitCode is 0 or 137, run.Error);
            isKilled = run.ExitCode != 0;
            Assert.Contains("r1: spare; r2: rollback; r3: default", world.States(), StringComparison.Ordinal);
            world.Shell("for r in r?; do $H roots check -q $r; done; $H default -q r3; $H gc -q; $H fsck -q; ls -d r4");
            Assert.True(number < 60, "it is never done");
        }
    }

    /// <summary>Deploys roots that differ and makes each the default. The one before stays for a rollback, and nothing calls for those before that.</summary>
    private void MakeRoots(int count) =>
        world.Shell($"for i in $(seq {count}); do echo $i > $T/usr/own; $H commit -q -b os $T; r=$($H deploy -q --force os); $H default -q $r; done; echo 0 > $T/usr/own; $H commit -q -b os $T");

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
        Assert.Contains("no boot loader here tells which roots are called for: for systemd-boot, no EFI", refused.Error, StringComparison.Ordinal);
        Assert.Contains("boot/grub/grub.cfg; `hacktree roots rm` removes roots by name, and gc without --keep removes none", refused.Error, StringComparison.Ordinal);
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
    public void An_upgrade_waits_until_the_cohort_has_this_machine()
    {
        world.Shell("""
            ssh-keygen -q -t ed25519 -N '' -f ../key; echo "me $(cat ../key.pub)" > ../trusted
            $H remote add origin ../layout; $H refs set base os
            echo new > $T/usr/new; $H commit -q -b os --sign ../key $T
            $H push -q os ../layout --sign ../key --cohort 0; $H refs set os base
            """);
        const string upgrade = "$H upgrade --force --require-signature --keys ../trusted origin:os";
        Assert.Contains("os is for 0 of 100 machines by now, and this one is not among them; `hacktree deploy os`", world.Try(upgrade).Error, StringComparison.Ordinal);
        Assert.Equal("r0: default", world.States());
        world.Shell("$H push -q os ../layout --sign ../key --not-before 2100-01-01T00:00:00Z");
        Assert.Contains("os is to be deployed from 2100-01-01 00:00:00Z on", world.Try(upgrade).Error, StringComparison.Ordinal);
        world.Shell("$H push -q os ../layout --sign ../key");
        world.Shell(upgrade);
        Assert.Equal("r0: default; r1: trial 3", world.States());
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
