using HackTree.Linux;
using HackTree.Tests.Cli;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>`build`: a command in an overlay, and the tree of what it left. The trees are compared with those of a full copy in which the same command ran.</summary>
public sealed class BuildTests : IDisposable
{
    // A root with a shell and the programs of this system that the commands here use, with their libraries.
    private const string MakeRoot = """
        mkdir -p root/{proc,sys,dev,run,tmp,etc,usr/sbin,bin,data/deep/er,data/full/sub}
        for p in sh bash rm mkdir mv chmod chown touch ln cat ls cp sleep setfattr mkfifo id true; do
            f=$(command -v $p) && cp -L $f root/bin/ && ldd $f | grep -o '/[^ ]*' | while read l; do mkdir -p root${l%/*}; cp -Ln $l root$l; done
        done
        for i in 1 2 3 4 5 6; do echo $i > root/data/f$i; echo $i > root/data/full/g$i; echo $i > root/data/full/sub/h$i; echo $i > root/data/deep/er/e$i; done
        ln -s f1 root/data/link; ln root/data/f5 root/data/f5too; mkfifo root/data/pipe
        chown 7:8 root/data/f6; chmod 2750 root/data/deep
        """;

    private readonly CliWorld world = new(hasStore: false);

    public BuildTests()
    {
        Assert.SkipUnless(Sys.IsRoot, "a build needs root");
        world.Run("init", "--mtime", "zero").Succeeded();
        world.Shell(MakeRoot).Succeeded();
        world.Run("commit", "-q", "-b", "base", "root").Succeeded();
    }

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData("true")]
    [InlineData("echo new >> /data/f1")]
    [InlineData("rm /data/f2 /data/link /data/pipe")]
    [InlineData("rm -r /data/full && mkdir /data/full && echo x > /data/full/g9")]
    [InlineData("rm -r /data/full && mkdir /data/full && echo 1 > /data/full/g1 && mkdir /data/full/sub")]
    [InlineData("rm -r /data/full")]
    [InlineData("rm -r /data/full/sub && mkdir -p /data/full/sub/h1/deeper && echo x > /data/full/sub/h1/deeper/y")]
    [InlineData("mkdir -p /data/new/a/b && echo x > /data/new/a/b/c && ln -s c /data/new/a/b/d && mkfifo /data/new/p")]
    [InlineData("rm -r /data/full && echo file > /data/full")]
    [InlineData("rm /data/f3 && mkdir /data/f3 && echo x > /data/f3/x")]
    [InlineData("rm -r /data/deep && ln -s full /data/deep")]
    [InlineData("chmod 600 /data/f4 && chown 3:4 /data/f5 && chmod 700 /data/full && chown -h 5:6 /data/link && chown 1:1 /")]
    [InlineData("setfattr -n user.a -v b /data/f1 && setfattr -n user.c -v d /data/full && setfattr -n trusted.t -v u /data/deep/er")]
    [InlineData("mv /data/full /data/moved && mv /data/deep/er /data/er && mv /data/f1 /data/f0")]
    [InlineData("ln /data/f1 /data/f1too && echo more >> /data/f5too && ln /data/full/g1 /data/full/sub/g1")]
    [InlineData("mv /data/full /data/old && mv /data/deep /data/full && mv /data/old /data/deep")]
    public void The_tree_is_that_of_a_copy_in_which_the_command_ran(string command)
    {
        Assert.Matches("^[0-9a-f]{64}\n$", world.Run("build", "-q", "-b", "built", "--from", "base", "--", "/bin/bash", "-ec", command).Succeeded());
        world.Run("checkout", "-q", "--copy", "base", "copy").Succeeded();
        Tools.Run("chroot", world.At("copy"), "/bin/bash", "-ec", command).Succeeded();
        world.Run("commit", "-q", "-b", "plain", "copy").Succeeded();

        const string facts = "$H show --json REF | python3 -c 'import json,sys; c=json.load(sys.stdin); print(c[\"tree\"], c[\"files\"], c[\"bytes\"])'";
        Assert.Equal("", world.Run("diff", "plain", "built").Output);
        Assert.Equal(world.Shell(facts.Replace("REF", "plain")).Succeeded(), world.Shell(facts.Replace("REF", "built")).Succeeded());
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
            + "&& echo x > /tmp/x && echo y > /run/y && echo z > /usr/sbin/z && [ $(cat /data/full/g1) = bound ] && [ $$ = 1 ]";
        world.Shell("mkdir bound; echo bound > bound/g1").Succeeded();
        world.Run(
            "build", "-q", "-b", "built", "--from", "base", "--no-network", "--env", "A=b", "--bind", world.At("bound") + ":/data/full", "--",
            "/bin/bash", "-ec", script).Succeeded();
        Assert.Equal("A usr/sbin/z\n", world.Run("diff", "base", "built").Output);
        world.Shell("printf '#!/bin/bash\\necho $1 > /data/arg\\n' > s.sh; $H build -q -b two --from base --script s.sh -- word").Succeeded();
        Assert.Equal("word\n", world.Run("cat", "two", "data/arg").Succeeded());
    }

    [Fact]
    public void A_killed_build_leaves_nothing_after_gc()
    {
        world.Shell("""
            $H build -b built --from base -- /bin/bash -c 'echo x > /data/f1; echo > /seen; sleep 1000' & pid=$!
            until ls .build-*.partial/upper/seen 2> /dev/null; do sleep 0.1; done
            kill -9 $pid; wait $pid
            for i in $(seq 100); do grep -qs "$PWD/[.]build-" /proc/[0-9]*/cmdline || break; sleep 0.1; done
            ! grep -s "$PWD/[.]build-" /proc/[0-9]*/cmdline /proc/[0-9]*/mounts
            """).Succeeded();
        world.Run("gc").Succeeded();
        RequireClean();
        Assert.Equal("base\n", world.Shell("$H refs | cut -d' ' -f1").Succeeded());
    }

    private void RequireClean()
    {
        Assert.Equal("", world.Shell("ls -d .build-* build-* 2> /dev/null; $H roots | grep build").Output);
        world.Run("fsck").Succeeded();
    }
}
