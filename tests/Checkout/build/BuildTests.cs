using System.Globalization;
using HackTree.Linux;
using HackTree.Tests.Cli;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>
/// `build`: a command in an overlay, and the tree of what it left. The tree is compared with that of a full copy in which the same command ran.
/// </summary>
public sealed class BuildTests : IDisposable
{
    // What a command does to its own directory, /N. Each directory is made as the others, so that one build tries them all.
    private static readonly string[] Changes =
    [
        "true",
        "echo new >> f1",
        "rm f2 link pipe",
        "rm -r full; mkdir full; echo x > full/g9",
        "rm -r full; mkdir full; echo 1 > full/g1; mkdir full/sub",
        "rm -r full",
        "rm -r full/sub; mkdir -p full/sub/h1/deeper; echo x > full/sub/h1/deeper/y",
        "mkdir -p new/a/b; echo x > new/a/b/c; ln -s c new/a/b/d; mkfifo new/p",
        "rm -r full; echo file > full",
        "rm f3; mkdir f3; echo x > f3/x",
        "rm -r deep; ln -s full deep",
        "chmod 600 f4; chown 3:4 f5; chmod 700 full; chown -h 5:6 link; chown 1:1 .",
        "setfattr -n user.a -v b f1; setfattr -n user.c -v d full; setfattr -n trusted.t -v u deep/er",
        "mv full moved; mv deep/er er; mv f1 f0",
        "ln f1 f1too; echo more >> f5too; ln full/g1 full/sub/g1",
        "mv full old; mv deep full; mv old deep",
        "rm -r deep full; mkdir deep; ln f1 deep/er; mkfifo full",
    ];

    private readonly CliWorld world = new(hasStore: false);

    public BuildTests()
    {
        Assert.SkipUnless(Sys.IsRoot, "a build needs root");
        world.Run("init", "--mtime", "zero").Succeeded();
        world.Shell($$"""
            mkdir -p root/{proc,sys,dev,run,tmp,etc,usr/sbin,bin,data/deep/er,data/full/sub} && cd root
            cp -L $(for p in bash rm mkdir mv chmod chown ln cat sleep setfattr mkfifo; do command -v $p; done) bin && ln -s bash bin/sh
            ldd bin/* | grep -o '/[^ ]* (' | sort -u | while read l _; do mkdir -p .${l%/*}; cp -L $l .$l; done
            cd data && for i in 1 2 3 4 5 6; do echo $i > f$i; echo $i > full/g$i; echo $i > full/sub/h$i; echo $i > deep/er/e$i; done
            ln -s f1 link; ln f5 f5too; mkfifo pipe; chown 7:8 f6; chmod 2750 deep; cd ..
            for i in $(seq 0 {{Changes.Length - 1}}); do cp -a data $i; done
            """).Succeeded();
        world.Run("commit", "-q", "-b", "base", "root").Succeeded();
    }

    public void Dispose() => world.Dispose();

    [Fact]
    public void The_tree_is_that_of_a_copy_in_which_the_command_ran()
    {
        string command = string.Concat(Changes.Select((change, i) => $"cd /{i}; {change}\n")) + "chmod 711 /; chown 9:9 /";
        Assert.Matches("^[0-9a-f]{64}\n$", world.Run("build", "-q", "-b", "built", "--from", "base", "--", "/bin/bash", "-ec", command).Succeeded());
        world.Run("checkout", "-q", "--copy", "base", "copy").Succeeded();
        Tools.Run("chroot", world.At("copy"), "/bin/bash", "-ec", command).Succeeded();
        world.Run("commit", "-q", "-b", "plain", "copy").Succeeded();
        Assert.Equal("", world.Run("diff", "plain", "built").Output);
        Assert.Equal(FactsOf("plain"), FactsOf("built"));
        RequireClean();
    }

    [Fact]
    public void The_top_is_as_it_was_whatever_the_place_gives_to_new_directories_and_whatever_an_overlay_left_on_it()
    {
        Tools.Require("setfacl");
        world.Shell("""
            set -e
            setfacl -d -m u:55:rwx .
            $H build -q -b same --from base -- /bin/sh -c :
            $H build -q -b more --from base -- /bin/sh -c ': > /new; chmod 644 /new'
            setfattr -n trusted.overlay.opaque -v y root
            $H commit -q -b upper root
            $H build -q -b built --from upper -- /bin/sh -c :
            $H checkout -q --copy more copy
            """).Succeeded();
        Assert.Equal("", world.Run("diff", "base", "same").Output);
        Assert.Equal("A new\n", world.Run("diff", "base", "more").Output);
        Assert.DoesNotContain("user:55", world.Shell("getfacl -n copy/new").Succeeded(), StringComparison.Ordinal);
        Assert.Equal(FactsOf("base"), FactsOf("built"));
        RequireClean();
    }

    [Fact]
    public void A_failed_command_commits_nothing()
    {
        ToolResult result = world.Run("build", "-b", "built", "--from", "base", "--", "/bin/bash", "-c", "echo x > /data/f1; exit 7");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("the command failed with exit code 7, and nothing was committed", result.Error);
        Assert.Equal("base\n", world.Shell("$H refs | cut -d' ' -f1").Succeeded());
        RequireClean();
    }

    [Fact]
    public void The_parent_is_the_first_commit_and_then_the_one_of_the_ref()
    {
        string first = world.Run("build", "-q", "-b", "built", "--from", "base", "--", "/bin/sh", "-c", ":").Succeeded();
        string second = world.Run("build", "-q", "-b", "built", "--from", "built", "--", "/bin/bash", "-c", "echo 2 > /data/two").Succeeded();
        Assert.Equal(first, world.Shell("$H show --json built | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"parents\"][0])'").Succeeded());
        Assert.NotEqual(first, second);
        Assert.Contains("nothing has changed since commit", world.Run("build", "-b", "built", "--from", "built", "--", "/bin/sh", "-c", ":").Error);
    }

    [Fact]
    public void What_the_build_puts_there_is_seen_and_not_recorded()
    {
        string script = "code=0; /usr/sbin/policy-rc.d || code=$?; [ $code = 101 ] && [ -c /dev/null ] && [ $DEBIAN_FRONTEND$A = noninteractiveb ] && [ -e /proc/self ] "
            + "&& echo x > /tmp/x && echo y > /run/y && echo z > /usr/sbin/z && [ $(cat /data/full/g1) = bound ] && [ $PPID = 1 ]";
        world.Shell("mkdir bound; echo bound > bound/g1").Succeeded();
        world.Run(
            "build", "-q", "-b", "built", "--from", "base", "--no-network", "--env", "A=b", "--bind", world.At("bound") + ":/data/full", "--",
            "/bin/bash", "-ec", script).Succeeded();
        Assert.Equal("A usr/sbin/z\n", world.Run("diff", "base", "built").Output);
        world.Shell("printf '#!/bin/bash\\necho $1 > /data/arg\\n' > s.sh; $H build -q -b two --from base --script s.sh -- word").Succeeded();
        Assert.Equal("word\n", world.Run("cat", "two", "data/arg").Succeeded());

        // Variables are the command's alone: with this path, the programs that set the root up would not be found.
        world.Run("build", "-q", "-b", "three", "--from", "base", "--env", "PATH=/bin", "--env", "-i=x", "--", "bash", "-ec", "[ $PATH = /bin ]").Succeeded();
    }

    [Theory]
    [InlineData("/nothing")]
    [InlineData("/data/link")]
    public void A_bind_to_what_is_not_in_the_commit_or_to_a_link_is_refused(string target)
    {
        world.Shell("mkdir bound").Succeeded();
        ToolResult result = world.Run("build", "-b", "built", "--from", "base", "--bind", $"{world.At("bound")}:{target}", "--", "/bin/sh", "-c", ":");
        Assert.Equal(1, result.ExitCode);
        Assert.Equal($"hacktree: {target}: --bind needs a path that is in the commit and leads through no symbolic link\n", result.Error);
        RequireClean();
    }

    [Theory]
    [InlineData(1, "$PWD/bound:/data/f1", "hacktree: /data/f1: --bind shows a file at a file, and */bound is a directory\n")]
    [InlineData(1, "$PWD/bound/g1:/data/full", "hacktree: /data/full: --bind shows a directory at a directory, and */bound/g1 is a file\n")]
    [InlineData(2, "bound:/", "hacktree: 'bound:/' would hide the whole tree; --bind shows something at a path below its top\n")]
    [InlineData(2, "bound:///", "hacktree: 'bound:/' would hide the whole tree; --bind shows something at a path below its top\n")]
    public void A_bind_that_does_not_fit_is_refused_in_one_sentence(int code, string bind, string sentence)
    {
        ToolResult result = world.Shell($"mkdir bound; : > bound/g1; $H build -b built --from base --bind {bind} -- /bin/sh -c :");
        Assert.Equal((code, sentence), (result.ExitCode, result.Error.Replace(world.Path, "*", StringComparison.Ordinal)));
        RequireClean();
    }

    [Theory]
    [InlineData("kill -TERM $$", 143)]
    [InlineData("kill -9 $$", 137)]
    [InlineData("kill -HUP $$; echo still >&2", 129)]
    [InlineData("/bin/bash -c 'kill -ABRT $$'; exit", 134)]
    public void A_command_that_a_signal_ended_commits_nothing(string command, int code)
    {
        ToolResult result = world.Run("build", "-b", "built", "--from", "base", "--", "/bin/sh", "-c", command);
        Assert.Equal(1, result.ExitCode);
        Assert.EndsWith($"hacktree: the command failed with exit code {code}, and nothing was committed\n", result.Error, StringComparison.Ordinal);
        Assert.Equal("base\n", world.Shell("$H refs | cut -d' ' -f1").Succeeded());
        world.Shell($$"""printf '%s\n' ': > /data/step' "{{command.Replace("$$", "\\$\\$", StringComparison.Ordinal)}}" > recipe""").Succeeded();
        Assert.Contains($"step 2 of 2 failed with exit code {code}", world.Run("build", "-b", "built", "--from", "base", "--recipe", "recipe").Error);
    }

    [Fact]
    public void Without_a_terminal_the_shell_reads_commands_and_says_nothing()
    {
        ToolResult result = world.Shell("echo 'echo x > /data/said' | $H build -q -b built --from base");
        result.Succeeded();
        Assert.Equal("", result.Error);
        Assert.Equal("x\n", world.Run("cat", "built", "data/said").Succeeded());
        Assert.DoesNotContain("job control", world.Shell("echo exit | script -qec '$H build -q -b built --from base' /dev/null").Succeeded());
    }

    [Fact]
    public void Gc_does_not_wait_for_the_command_and_keeps_its_commit()
    {
        world.Shell("""
            mkdir bound
            $H build -q -b built --from base --bind $PWD/bound:/data/full -- /bin/bash -ec 'echo x > /data/f1; : > /data/full/seen; until [ -e /data/full/go ]; do sleep 0.1; done' & pid=$!
            until [ -e bound/seen ]; do sleep 0.1; done
            $H refs rm -q base && timeout 60 $H gc
            [ -e .build-1.partial/lower/data ] && [ -e objects/tmp/building-build-1 ] && touch bound/go && wait $pid
            """).Succeeded();
        Assert.Equal("x\n", world.Run("cat", "built", "data/f1").Succeeded());
        Assert.Equal("2\n", world.Run("cat", "built~1", "data/f2").Succeeded());
        RequireClean();
    }

    [Fact]
    public void What_a_killed_build_left_the_next_build_removes_or_gc()
    {
        Kill();
        world.Run("build", "-q", "-b", "next", "--from", "base", "--", "/bin/bash", "-c", "[ ! -e /seen ]").Succeeded();
        RequireClean();
        Kill();
        world.Run("gc").Succeeded();
        RequireClean();
        Assert.Equal("base\nnext\n", world.Shell("$H refs | cut -d' ' -f1").Succeeded());

        void Kill() => world.Shell("""
            $H build -b built --from base -- /bin/bash -c 'echo x > /data/f1; echo > /seen; sleep 1000' & pid=$!
            until ls .build-1.partial/upper/seen 2> /dev/null; do sleep 0.1; done
            kill -9 $pid; wait $pid
            for i in $(seq 100); do grep -qs "$PWD/[.]build-" /proc/[0-9]*/cmdline || break; sleep 0.1; done
            ! grep -s "$PWD/[.]build-" /proc/[0-9]*/cmdline /proc/[0-9]*/mounts && [ -e .build-1.partial ]
            """).Succeeded();
    }

    [Fact]
    public void A_recipe_runs_only_the_steps_that_are_not_remembered()
    {
        world.Shell("""
            set -e
            mkdir bound
            build() { $H build -q -b built --from base --bind $PWD/bound:/data/full --recipe r "$@"; }
            step() { echo "echo $1 >> /data/full/runs; echo $1 \\"; echo "  > /data/$1"; }
            runs() { [ "$(tr '\n' ' ' < bound/runs)" = "$1" ]; rm bound/runs; }
            (echo '# comment'; step a; echo; step b; step c) > r
            build > one
            runs 'a b c '
            build > two
            cmp one two
            [ ! -e bound/runs ]
            (step a; step b; step d) > r
            build > three
            runs 'd '
            [ "$($H diff built^ built)" = 'A data/d' ]
            if $H cat built data/c; then exit 1; fi
            (step a; step e; echo 'exit 7'; step f) > r
            if build 2> said; then exit 1; fi
            runs 'e '
            grep 'step 3 of 4 failed with exit code 7, and built stays as it was' said
            cmp three objects/refs/built
            [ "$($H cat build-steps/built data/e)" = e ]
            (step a; step e; step f) > r
            build
            runs 'f '
            [ ! -e objects/refs/build-steps/built ]
            build --fresh
            runs 'a e f '
            """).Succeeded();
        RequireClean();
    }

    [Theory]
    [InlineData("FROM debian", "recipe, line 1: FROM is a word of container files")]
    [InlineData("# nothing\n\n", "recipe: there is no step in it")]
    public void A_recipe_that_is_none_is_refused(string text, string words)
    {
        File.WriteAllText(world.At("recipe"), text);
        world.Refuses(1, words, ["build", "-b", "built", "--from", "base", "--recipe", "recipe"]);
    }

    [Fact]
    public void Two_builds_have_two_places() =>
        world.Shell("""
            mkdir bound
            $H build -q -b one --from base --bind $PWD/bound:/data/full -- /bin/bash -ec ': > /data/full/seen; until [ -e /data/full/go ]; do sleep 0.1; done' & pid=$!
            until [ -e bound/seen ]; do sleep 0.1; done
            $H build -q -b two --from base --bind $PWD/bound:/data/full -- /bin/bash -ec ': > /data/full/go' && wait $pid
            """).Succeeded();

    [Fact]
    public void The_command_does_not_ignore_that_a_pipe_is_closed()
    {
        const ulong closedPipe = 1 << (13 - 1);
        ToolResult run = world.Run("build", "-q", "-b", "built", "--from", "base", "--", "/bin/bash", "-c", "cat /proc/self/status");
        run.Succeeded();
        string ignored = run.Error.Split('\n').Single(line => line.StartsWith("SigIgn:", StringComparison.Ordinal)).Split('\t')[1];
        Assert.Equal(0UL, ulong.Parse(ignored, NumberStyles.HexNumber, CultureInfo.InvariantCulture) & closedPipe);
    }

    private string FactsOf(string commit) => world.Shell(
        $"$H show --json {commit} | python3 -c 'import json,sys; c=json.load(sys.stdin); print(c[\"tree\"], c[\"files\"], c[\"bytes\"])'").Succeeded();

    private void RequireClean()
    {
        Assert.Equal("", world.Shell("ls -d .build-* build-* 2> /dev/null; $H roots | grep build").Output);
        world.Run("fsck").Succeeded();
    }
}
