using System.Text.Json;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Boot;

/// <summary>
/// Bisects on a disk that is not booted. What the boot loader and a started root would do is done here: a try is counted down in GRUB's environment,
/// and `good` runs in a chroot. BisectBootTests boots such a disk.
/// </summary>
public sealed class BisectTests : IDisposable
{
    private const int Commits = 9;
    private const string List = "find r0 -printf '%P %i %s\\n' | sort";

    private readonly DeployWorld world = new();

    public BisectTests() => world.Shell(
        $$"""
        printf '#include <stdio.h>\nint main(void) { puts("r1 r2 r3"); }' | gcc -static -x c - -o $T/usr/bin/hacktree
        for i in $(seq 0 {{Commits - 1}}); do echo $i > $T/usr/number; $H commit -q -b os -m "commit $i" $T; done > /dev/null
        """);

    public void Dispose() => world.Dispose();

    [Fact]
    public void The_first_bad_commit_is_named_after_three_tries_and_all_is_as_before()
    {
        world.Shell("mkdir -p r0/etc/systemd/system/multi-user.target.wants");
        FindFirst(1);
        FindFirst(8);
        world.Shell("$H bisect abort; $H bisect status; [ -z \"$(ls var/lib/hacktree)\" ]");
    }

    private void FindFirst(int first)
    {
        string before = world.Shell(List);
        Assert.Equal("r1 is tried", world.Shell("$H bisect os~8 os").Split(':')[0]);
        int tries = 0;
        for (string? root; (root = Trial()) is not null; tries++)
        {
            Assert.Contains($"{root}: trial 1", world.States(), StringComparison.Ordinal);
            Start();
            if (int.Parse(world.Shell($"cat {root}/usr/number")) < first)
            {
                // So a program does it that knows no bisect.
                world.Shell($"$H default {root}");
            }

            Step();
        }

        Assert.Equal(3, tries);
        string said = world.Shell("$H bisect status");
        Assert.EndsWith($"{Id(first)} is the first bad commit: commit {first}\nM usr/number\n", said, StringComparison.Ordinal);
        using JsonDocument json = Status();
        Assert.Equal((Id(first), Id(first - 1)), (json.RootElement.GetProperty("firstBad").GetString(), json.RootElement.GetProperty("lastGood").GetString()));
        Assert.Equal("r0: default", world.States());
        Assert.Equal(before, world.Shell(List));
        Assert.Equal("bisect\n", world.Shell("ls var/lib/hacktree"));
    }

    [Fact]
    public void A_root_that_is_good_or_whose_check_fails_goes_on_by_itself_and_the_machine_comes_back()
    {
        world.Shell("mkdir -p r0/etc/hacktree/health.d; $H bisect --check 'read n < /sysroot/r$R/usr/number; echo it is $n; [ $n -lt 6 ]' os~8 os");
        Assert.Equal("good", Good("r1"));
        Assert.Equal("bad: /etc/hacktree/health.d/zz-bisect ended with 1: it is 6", Good("r2"));

        // The last one says that all is found. The roots can go when the default has started.
        Assert.Equal("good", Good("r1"));
        Assert.Equal("r0: default; r1: spare; r2: spare", world.States());
        Assert.Contains("is the first bad commit: commit 6", world.Shell("$H bisect step"), StringComparison.Ordinal);
        Assert.Equal("r0: default", world.States());
        Assert.Equal("bisect\n", world.Shell("ls var/lib/hacktree; find r0/etc -name '*bisect*'"));
    }

    [Fact]
    public void What_a_deploy_would_refuse_is_bad_and_says_why()
    {
        world.Shell("rm $T/usr/sbin/init; for i in 9 10; do echo $i > $T/usr/number; $H commit -q -b os -m \"commit $i\" $T; done");
        string said = world.Shell("$H bisect os~2 os");
        Assert.Matches("bad +commit 9 +[0-9a-f]+ has no /sbin/init, so it cannot boot", said);
        Assert.Contains("the first bad commit: commit 9", said, StringComparison.Ordinal);
        Assert.Equal("r0: default", world.States());
    }

    [Fact]
    public void A_bisect_that_was_cut_off_anywhere_goes_on_and_nothing_else_boots()
    {
        world.Shell("$H bisect os~8 os");
        for (int i = 0; i < 8; i++)
        {
            Start();
            world.Try($"timeout -s KILL 0.{Random.Shared.Next(50, 900):000} $H bisect step");
            Assert.StartsWith("r0: default", world.States(), StringComparison.Ordinal);
        }

        do
        {
            Start();
            Step();
        }
        while (Trial() is not null);

        Assert.Equal("r0: default", world.States());
        Assert.Contains("is the first bad commit: commit ", world.Shell("$H bisect status"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_step_that_is_killed_at_any_change_of_a_record_leaves_no_root_behind()
    {
        Tools.Require("strace");
        const string calls = "renameat,renameat2,linkat,unlinkat";
        bool wasKilled = true;
        for (int number = 1; wasKilled; number++)
        {
            world.Shell("$H bisect os~8 os");
            Start();
            wasKilled = world.Try($"strace -f -qq -o /dev/null -P $PWD/objects/roots -e trace={calls} -e inject={calls}:signal=KILL:when={number} $H bisect step").ExitCode != 0;
            do
            {
                Start();
                Step();
            }
            while (Trial() is not null);

            Assert.Equal($"{number}: r0: default", $"{number}: {world.States()}");
            world.Shell("$H bisect abort");
        }
    }

    [Fact]
    public void While_one_is_at_work_nothing_else_is_deployed_and_abort_ends_it()
    {
        world.Shell("$H bisect os~8 os");
        foreach (string command in new[] { "deploy os", "upgrade os", "bisect os~2 os" })
        {
            Assert.Contains("a bisect is at work here; `hacktree bisect status`", world.Try($"$H {command}").Error, StringComparison.Ordinal);
        }

        world.Shell("$H bisect abort; $H roots check; [ ! -e r1 ]; [ -z \"$(find r0/etc -name '*bisect*')\" ]");
        Assert.Equal("r0: default", world.States());
        Assert.Equal("r1\n", world.Shell("$H deploy --force os"));
    }

    [Fact]
    public void What_cannot_be_searched_is_refused_in_one_sentence()
    {
        foreach ((string arguments, string words) in new[]
        {
            ("os os~2", "does not come from"),
            ("os os", "cannot be both good and bad"),
            ("none os", "'none' is no ref and no commit"),
            ("abort", "there is no bisect"),
            ("step", "there is no bisect"),
        })
        {
            Assert.Contains(words, Refused(arguments), StringComparison.Ordinal);
        }

        Assert.Equal("null\n", world.Shell("$H bisect status --json; [ ! -e var/lib/hacktree/bisect ]"));
        Assert.Contains("is the first bad commit: commit 8", world.Shell("$H bisect os^ os"), StringComparison.Ordinal);
        Assert.Equal("r0: default", world.States());
        world.Shell("$H bisect os~8 os; cp var/lib/hacktree/bisect whole");
        foreach (string change in new[] { "s/^reboot no/reboot maybe/", "s/bisect 1/bisect 2/", "s/^trial.*/trial r7/", "2,$d", "$a more" })
        {
            world.Shell($"sed '{change}' whole > var/lib/hacktree/bisect");
            Assert.Contains("var/lib/hacktree/bisect: it is not a bisect of this version", Refused("status"), StringComparison.Ordinal);
        }
    }

    private string Refused(string arguments)
    {
        ToolResult run = world.Try($"$H bisect {arguments}");
        Assert.Equal(1, run.ExitCode);
        return Assert.Single(run.Error.TrimEnd().Split('\n'));
    }

    /// <summary>What GRUB does before it starts a root on trial.</summary>
    private void Start() => world.Shell("sed -i 's/tries=1/tries=0/' boot/grub/grubenv");

    private void Step() => world.Shell("$H bisect step");

    /// <summary>Starts a root and has `good` run in it. Returns what it said of the root.</summary>
    private string Good(string root)
    {
        Start();
        string script =
            $$"""
            mkdir -p {{root}}/sysroot {{root}}/proc {{root}}/dev; mount --bind {{root}} {{root}}; mount --bind . {{root}}/sysroot; cd {{root}}; ln -sfn usr/lib64 lib64; ln -sfn usr/lib lib
            for d in /usr /proc /dev; do mount --rbind $d .$d; done
            mkdir -p .{{Repository.Root}}; mount --rbind {{Repository.Root}} .{{Repository.Root}}
            exec chroot . /usr/bin/env R={{root[1..]}} HOME=/ {{Repository.Program}} --store sysroot/objects good
            """;
        ToolResult run = world.Try($"unshare -m sh -ec '{script}'");
        Assert.True(run.ExitCode == 0, run.Error);
        return run.Error.Split('\n').Single(line => line.Contains($"{root} is ", StringComparison.Ordinal)).Split($"{root} is ", 2)[1];
    }

    private string? Trial()
    {
        using JsonDocument json = Status();
        return json.RootElement.GetProperty("trial").GetString();
    }

    private JsonDocument Status() => JsonDocument.Parse(world.Shell("$H bisect status --json"));

    private string Id(int number) => world.Shell($"$H log --json os").Split("\"commit\":\"")[Commits - number][..64];
}
