using System.Text.Json;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>
/// Deploys of a commit with a kernel and no initrd, on a disk that is not booted. The commit has a shell, and a mkinitramfs that copies a file.
/// TrialBootTests boots such a root, with the initrd of Debian's mkinitramfs.
/// </summary>
public sealed class MadeInitrdTests : IDisposable
{
    private const string Initrd = $"boot/initrd.img-{DeployWorld.Kernel}";
    private const string Listing = "ls -A . r?; cat boot/grub/grubenv; $H status";

    private readonly DeployWorld world = new();

    public MadeInitrdTests() => world.Shell(
        $$"""
        rm {{Initrd}}; mv $T/{{Initrd}} $T/usr/share/made; rm $T/boot/*-9-test
        for p in bash cat sleep; do cp -L $(command -v $p) $T/usr/bin; done; ln -s bash $T/usr/bin/sh
        for l in $(ldd $T/usr/bin/{bash,cat,sleep} | grep -o '/[^ ]* (' | sort -u); do [ $l = '(' ] || { mkdir -p $T${l%/*}; cp -L $l $T$l; }; done
        printf '#!/bin/sh\n[ "$1" = -o ] && [ -d "/usr/lib/modules/$3" ] && cat /usr/share/made > "$2"\n' > $T/usr/sbin/mkinitramfs
        chmod 755 $T/usr/sbin/mkinitramfs; $H commit -q -b os $T
        """);

    public void Dispose() => world.Dispose();

    [Fact]
    public void The_root_gets_an_initrd_by_the_commits_own_program_and_is_one_like_others()
    {
        Assert.Equal("r1\n", world.Shell("$H deploy -q --force os"));
        Assert.Equal("r0: default; r1: trial 3", world.States());
        Assert.Equal("1\n", world.Shell($"$H initrd verify r1/{Initrd} > /dev/null; stat -c %h r1/{Initrd}; $H roots check -q r1; $H fsck -q; [ -z \"$(ls -d .??*)\" ]"));
        Assert.Contains($"'{Initrd}' is not in ", world.Try($"$H ls os {Initrd}").Error, StringComparison.Ordinal);

        // A second root of the commit has an initrd of its own, also if it is an image. A root with one is never turned into another.
        Assert.Equal("r2\n", world.Shell("$H default r1; $H deploy -q --force os"));
        world.Shell($"cd $T/usr/lib/modules/{DeployWorld.Kernel}; printf 'kernel/erofs.ko\nkernel/overlay.ko\n' > modules.builtin; : > modules.dep");
        Assert.Equal("r3\n", world.Shell("$H default r2; $H commit -q -b os $T > /dev/null; $H deploy -q --force --composefs os"));
        world.Shell("$H default r3; $H roots check -q; $H fsck -q");
        Assert.Equal("r0: spare; r1: spare; r2: rollback; r3: default", world.States());
        Assert.Equal("4\n", world.Shell($"ls -i r?/{Initrd} | cut -d ' ' -f 1 | sort -u | wc -l"));
        Assert.Equal("r0\nr4\n", world.Shell("$H roots rm r0; $H deploy -q --force os; $H default r0; $H deploy -q --force os"));
        Assert.Equal("r0: default; r1: spare; r2: spare; r3: rollback; r4: trial 3", world.States());
        Assert.Contains("it has an initrd that its commit lacks", world.Try("$H checkout --boot --from r1 os r7").Error, StringComparison.Ordinal);
        Assert.Equal("r0\n", world.Shell("$H rollback"));
        Assert.Contains("removed 3 roots: r1, r2, r4\n", world.Shell("$H gc --keep 0"), StringComparison.Ordinal);
        Assert.Equal("r0: default; r3: rollback", world.States());

        // Without it the root could not boot.
        ToolResult refused = world.Try($"rm r3/{Initrd} boot/vmlinuz-*; $H rollback");
        Assert.Equal((1, 1), (refused.ExitCode, refused.Error.TrimEnd().Split('\n').Length));
        Assert.Contains("neither r3 nor ", refused.Error, StringComparison.Ordinal);
        Assert.Equal("r0: default; r3: rollback", world.States());
    }

    [Fact]
    public void A_dry_run_says_what_it_costs_and_makes_nothing()
    {
        string before = world.Shell(Listing);
        ToolResult run = world.Try("$H deploy --force --dry-run --json os");
        JsonElement plan = JsonDocument.Parse(run.Succeeded()).RootElement;
        Assert.Equal("/usr/sbin/mkinitramfs", plan.GetProperty("initrdMaker").GetString());
        Assert.InRange(plan.GetProperty("initrdBytes").GetInt64(), 1_000_000, 1_000_000_000);
        Assert.Contains($"kernel {DeployWorld.Kernel} with an initrd that its /usr/sbin/mkinitramfs makes", run.Error, StringComparison.Ordinal);
        Assert.Matches("making the initrd would take as long as that program does, and about [0-9.]+ MB meanwhile", run.Error);
        Assert.Equal(before, world.Shell(Listing));
    }

    [Theory]
    [InlineData("rm $T/usr/sbin/mkinitramfs", "os has the kernel 6.1.0-10-test without an initrd, and no mkinitramfs or dracut that could make one; build the commit with")]
    [InlineData("printf '#!/bin/sh\necho first; echo planted >&2; exit 7' > $T/usr/sbin/mkinitramfs", "the /usr/sbin/mkinitramfs of os made no initrd for its kernel 6.1.0-10-test: planted")]
    [InlineData("printf '#!/bin/sh\necho nothing' > $T/usr/sbin/mkinitramfs", "made no initrd for its kernel 6.1.0-10-test: nothing")]
    [InlineData("echo no > $T/usr/share/made", $"{Initrd}: ")]
    [InlineData("rmdir $T/usr/lib/modules/*", "os has no /usr/lib/modules/")]
    public void What_cannot_be_made_is_told_in_one_sentence_and_leaves_nothing(string change, string words)
    {
        string before = world.Shell($"{change}; $H commit -q -b os $T > /dev/null; {Listing}");
        ToolResult run = world.Try("$H deploy -q --force os");
        Assert.Equal((1, 1), (run.ExitCode, run.Error.TrimEnd().Split('\n').Length));
        Assert.Contains(words, run.Error, StringComparison.Ordinal);
        Assert.Equal(before, world.Shell(Listing));
    }

    [Theory]
    [InlineData("KILL", 137, 1117)]
    [InlineData("INT", 130, 1118)]
    public void A_deploy_that_ends_while_the_initrd_is_made_leaves_what_booted(string signal, int code, int seconds)
    {
        // So many seconds as no other test sleeps: by them the program is found.
        string before = world.Shell($"printf '#!/bin/sh\nexec sleep {seconds}' > $T/usr/sbin/mkinitramfs; $H commit -q -b os $T > /dev/null; {Listing}");
        string end = world.Shell(
            $$"""
            set -m
            # It must not outlive a failure here: it holds the output open.
            trap 'kill -KILL $maker 2> /dev/null || true' EXIT
            $H deploy -q --force os 2> said & maker=$!
            until program=$(pgrep -f '^sleep {{seconds}}$'); do kill -0 $maker; sleep 0.05; done
            # Meanwhile gc has the store, and leaves what the deploy needs.
            $H gc -q > /dev/null
            kill -{{signal}} $maker; wait $maker || code=$?
            while kill -0 $program 2> /dev/null; do sleep 0.05; done
            $H gc -q > /dev/null; rm said; echo $code
            """);
        Assert.Equal($"{code}\n", end);
        Assert.Equal(before, world.Shell(Listing));
    }

    [Fact]
    public void A_deploy_that_is_killed_at_any_step_leaves_what_booted_or_a_whole_root_on_trial()
    {
        Tools.Require("strace");
        string before = world.Shell("cat boot/grub/grubenv");
        bool isKilled = true;
        for (int number = 1; isKilled; number++)
        {
            const string calls = "renameat2,syncfs,linkat";
            ToolResult run = world.Try($"strace -f -qq -o /dev/null -P $PWD/boot -P $PWD -e trace={calls} -e inject={calls}:signal=KILL:when={number} $H deploy -q --force os");
            Assert.True(run.ExitCode is 0 or 137, run.Error);
            isKilled = run.ExitCode != 0;
            string trial = world.Shell("grep -a -o 'hacktree_trial=.*' boot/grub/grubenv | cut -d = -f 2").Trim();
            Assert.True(trial.Length > 0 || world.Shell("cat boot/grub/grubenv") == before, "the boot loader's file changed before the trial");
            world.Shell($"for r in r?; do [ $r = r0 ] || $H initrd verify $r/{Initrd} > /dev/null; $H roots check -q $r; done; $H default -q r0; $H gc -q; $H gc -q --keep 0; $H fsck -q; [ -z \"$(ls -d .??*)\" ]");
            Assert.Equal("r0: default", world.States());
            before = world.Shell("cat boot/grub/grubenv");
            Assert.True(number < 60, "it is never done");
        }
    }

    [Fact]
    public void Dracut_makes_one_with_our_hook_where_there_is_no_mkinitramfs()
    {
        world.Shell($"$H commit -q -b real --exclude '/boot/initrd*' --exclude /usr/sbin/mkinitramfs {BootRoot.Path}");
        ToolResult run = world.Try("$H deploy --force real");
        Assert.Equal("r1\n", run.Succeeded());
        Assert.Contains("with an initrd that its /usr/bin/dracut makes", run.Error, StringComparison.Ordinal);
        world.Shell("$H initrd verify r1/boot/initrd.img-* > /dev/null; $H roots check -q r1; [ ! -e r1/usr/lib/dracut/modules.d/90hacktree ]");
    }
}
