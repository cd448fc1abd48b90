using HackTree.Tests.Cli;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>checkout --union: a tree over a directory that is there, with what may be in its way, and killed at each step.</summary>
public sealed class TreeUnionTests : IDisposable
{
    private readonly CliWorld world = new();

    public TreeUnionTests()
    {
        world.Commit("a");
        world.Shell("""
            set -e
            mkdir -p over/etc over/usr/bin/kept out; chmod 700 over/etc; echo mine > over/etc/mine
            echo old > over/etc/os-release; ln -s /nowhere over/usr/bin/hello
            echo old > over/usr/bin/hi; ln over/usr/bin/hi linked; echo x > over/usr/bin/kept/x
            """).Succeeded();
    }

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData("")]
    [InlineData("--copy")]
    public void Files_replace_others_and_what_the_tree_has_not_stays(string method)
    {
        world.Shell($"""
            set -e
            $H checkout --union -q {method} a over
            [ "$(cat over/etc/mine over/usr/bin/kept/x linked)" = $'mine\nx\nold' ]; [ $(stat -c %a over/etc) = 700 ]
            rm -r over/etc/mine over/usr/bin/kept; $H checkout -q --copy a whole
            [ -z "$($H roots | grep over)" ]; [ -z "$(find . -name '.hacktree*')" ]
            """).Succeeded();
        world.Shell("chmod 755 over/etc; for d in . usr usr/bin etc; do touch -r whole/$d over/$d; done; $H fsck").Succeeded();
        Comparison.Same(world.At("whole"), world.At("over"));

        // Hardlinks that are there are not made again. Symbolic links and fifos are.
        Assert.Contains($"over: {(method.Length == 0 ? 2 : 9)} files laid over", world.Shell($"$H checkout --union {method} a over 2>&1").Succeeded());
    }

    [Fact]
    public void A_part_of_the_tree_can_be_laid_over()
    {
        world.Run("checkout", "-q", "--union", "--copy", "--subpath", "etc", "a", "over/etc").Succeeded();
        Assert.Equal("mine\nos-release\npasswd\n", world.Shell("ls over/etc").Succeeded());
        world.Refuses(1, "'etc/passwd' is no directory in a", ["checkout", "--union", "--subpath", "etc/passwd", "a", "over"]);
    }

    [Theory]
    [InlineData("rm -r over/usr/bin; echo x > over/usr/bin", "over/usr/bin: the tree has a directory there, and it is none")]
    [InlineData("rm -r over/usr/bin; ln -s ../../out over/usr/bin", "over/usr/bin: the tree has a directory there, and it is a symbolic link")]
    [InlineData("rm -r over/etc; ln -s /etc over/etc", "over/etc: the tree has a directory there, and it is a symbolic link")]
    [InlineData("rm over/usr/bin/hi; mkdir over/usr/bin/hi", "over/usr/bin/hi: it is a directory, and the tree has none there")]
    [InlineData("rm over/usr/bin/hello; mkdir over/usr/bin/hello", "over/usr/bin/hello: it is a directory, and the tree has none there")]
    [InlineData("ln -s /etc over/.hacktree-union", "over/.hacktree-union: it is in the way")]
    [InlineData("mkdir -m 755 over/.hacktree-union", "over/.hacktree-union: it is in the way")]
    [InlineData("rm -r over; echo x > over", "over: there is no such directory")]
    [InlineData("rm -r over", "over: there is no such directory")]
    [InlineData("rm -r over; $H checkout -q a over", "over: it belongs to the root")]
    [InlineData("rm -r over; $H checkout -q a root; ln -s root/etc over", "over: it belongs to the root")]
    [InlineData("$H checkout -q a over/root", "over/root lies in it")]
    [InlineData("rm -r over; ln -s objects over", "over: it belongs to the store")]
    [InlineData("rm -r over; ln -s objects/files/00 over", "over: it belongs to the store")]
    [InlineData("rm -r over; ln -s . over", "over: the store itself is there")]
    public void What_is_in_the_way_is_said_and_nothing_is_changed(string script, string words)
    {
        world.Shell($"set -e; {script}").Succeeded();
        world.Refuses(1, words, ["checkout", "--union", "a", "over"]);
        world.Refuses(1, words, ["checkout", "--union", "--copy", "a", "over"]);
    }

    [Fact]
    public void It_makes_no_root()
    {
        foreach (string option in (string[])["--boot", "--readonly", "--reuse", "--force", "--composefs"])
        {
            world.Refuses(2, "--union makes no root: only --copy, --reflink and --subpath go with it", ["checkout", "--union", option, "a", "over"]);
        }
    }

    [Fact]
    public void Another_one_that_is_at_work_there_is_waited_for_by_nobody()
    {
        world.Shell("flock -F over sleep 1000 > /dev/null 2>&1 & echo $! > pid; until ! flock -n over true; do :; done").Succeeded();
        try
        {
            world.Refuses(1, "over: another program has locked it", ["checkout", "--union", "a", "over"]);
        }
        finally
        {
            world.Shell("kill $(cat pid)").Succeeded();
        }
    }

    [Fact]
    public void A_mount_in_it_is_not_entered()
    {
        Assert.SkipUnless(HackTree.Linux.Sys.IsRoot, "mounting needs root");
        world.Shell("""
            unshare -m sh -c 'mount -t tmpfs none over/usr && $H checkout --union a over' 2> err
            [ $? = 1 ] && grep -q '^hacktree: .*over/usr: something is mounted there' err && [ $(cat over/etc/os-release) = old ]
            """).Succeeded();
    }

    /// <summary>Each name is as it was or whole after each kill, and the next run does the rest.</summary>
    [Theory]
    [InlineData("", "renameat", 4)]
    [InlineData("--copy", "renameat", 4)]
    [InlineData("", "renameat2", 1)]
    [InlineData("--copy", "write,pwrite64,copy_file_range", 2)]
    [InlineData("", "mkdirat,unlinkat", 2)]
    public void Killed_at_each_call_each_file_is_old_or_whole(string method, string calls, int least)
    {
        Tools.Require("strace");
        world.Shell($$"""
            set -e
            cp -a over before; cp -a over after; $H checkout -q --union --copy a after
            number=1; killed=0
            while :; do
                rm -rf over; cp -a before over; code=0
                strace -f -qq -o /dev/null -e trace={{calls}} -e inject={{calls}}:signal=KILL:when=$number $H checkout -q --union {{method}} a over || code=$?
                (cd over; find . -name .hacktree-union -prune -o -type f -print0) | while IFS= read -rd '' file; do
                    cmp -s "over/$file" "before/$file" || cmp "over/$file" "after/$file"
                done
                $H checkout -q --union {{method}} a over
                diff -r --no-dereference -x pipe over after; [ ! -e over/.hacktree-union ]
                [ $code != 0 ] || break
                killed=$((killed + 1)); number=$((number + 1))
            done
            $H fsck > /dev/null; [ $killed -ge {{least}} ]
            """).Succeeded();
    }
}
