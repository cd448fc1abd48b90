using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Cli;

/// <summary>Stores, processes and histories that lack something: one sentence says so, and what to do.</summary>
public sealed class TroubleTests : IDisposable
{
    private readonly CliWorld world = new();

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData("lock", "an empty file will do: `touch ")]
    [InlineData("packs", "bring it back from a copy of the store")]
    [InlineData("refs", "bring it back from a copy of the store")]
    [InlineData("files", "bring it back from a copy of the store")]
    public void What_a_store_has_not_is_named_with_what_to_do(string room, string remedy)
    {
        world.Commit();
        world.Shell($"mv objects/{room} hidden").Succeeded();
        world.Refuses(1, $"{world.At("objects")}/{room}: missing from the store; {remedy}", ["fsck"]);
        if (remedy.Contains('`'))
        {
            world.Shell(world.Run("fsck").Error.Split('`')[1]).Succeeded();
            Assert.Equal("", world.Run("fsck").Succeeded());
        }
    }

    [Fact]
    public void Closed_descriptors_are_never_a_file_of_the_store()
    {
        ToolResult closed = world.Shell("$H commit -q -b a tree >&-");
        Assert.Equal((1, "hacktree: standard output: it is closed\n"), (closed.ExitCode, closed.Error));
        Assert.Equal(1, world.Shell("$H commit -b b tree >&- 2>&-").ExitCode);
        Assert.Contains("standard input: ", world.Shell("$H commit -b c --tar - <&-").Error);
        Assert.Equal(0, world.Run("fsck").ExitCode);
    }

    [Fact]
    public void Roots_that_cannot_be_removed_do_not_keep_the_others()
    {
        world.Commit();
        world.Shell("$H checkout -q debian/test r1; $H checkout -q debian/test r2").Succeeded();
        ToolResult result = world.Run("roots", "rm", "r1", "r9", "r2");
        Assert.Equal(1, result.ExitCode);
        Assert.True(CliWorld.IsOneSentence(result), result.Error);
        Assert.Contains("r9: there is no root of that name", result.Error);
        Assert.Empty(world.Run("roots").Succeeded());
    }

    [Theory]
    [InlineData("../objects: the current directory was removed or replaced", "--store ../objects refs")]
    [InlineData("./objects: the current directory was removed or replaced", "refs")]
    [InlineData("r2: the current directory was removed or replaced", "--store $W/objects checkout a r2")]
    [InlineData(".: the current directory was removed or replaced", "--store $W/objects commit -b a .")]
    [InlineData("new: the current directory was removed or replaced", "init new")]
    [InlineData("x.tar: the current directory was removed or replaced", "--store $W/objects export a --tar x.tar")]
    [InlineData("x.tar: the current directory was removed or replaced", "--store $W/objects commit -b a --tar x.tar")]
    [InlineData("current directory was removed or replaced", "initrd patch a b")]
    [InlineData("r: the current directory was removed or replaced", "--store $W/objects roots check ./r")]
    public void A_relative_path_where_the_current_directory_is_gone(string sentence, string command)
    {
        world.Commit("a");
        ToolResult result = world.Shell($"W=$PWD; mkdir gone; cd gone; rmdir ../gone; $H {command}");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(sentence, result.Error);
        Assert.EndsWith("; change to a directory that is there\n", result.Error);
        world.Shell("W=$PWD; mkdir gone; cd gone; rmdir ../gone; $H --store $W/objects refs").Succeeded();
    }

    [Fact]
    public void The_system_call_is_told_to_who_asks_for_it()
    {
        Assert.Equal("hacktree: nowhere: no such file or directory\n", world.Run("hash", "nowhere").Error);
        Assert.Contains("openat answered ENOENT", world.RunWith("HACKTREE_DEBUG=1", "hash", "nowhere").Error);
    }

    [Fact]
    public void A_history_that_gc_has_cut_is_said_to_be_so()
    {
        world.Shell("for i in 1 2 3; do echo $i > tree/etc/version; $H commit -q -b a tree; done; $H gc --depth 1").Succeeded();
        world.Run("show", "a^").Succeeded();
        foreach (string far in (string[])["a~2", "a~3", "a~9"])
        {
            world.Refuses(1, "`gc --depth` may have cut the history there", ["show", far]);
        }
    }

    /// <summary>The environment of image builders: the program and libc, without /dev and /proc.</summary>
    [Fact]
    public void A_bare_chroot_is_enough()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can chroot");
        world.Shell("""
            set -e
            mkdir -p jail/tree; cp $H jail/hacktree; cp tree/etc/passwd jail/tree
            ldd $H | grep -o '/[^ ]*' | while read -r lib; do cp -L --parents $lib jail; done
            for verb in 'init /objects' 'commit -b a /tree' 'commit -b a /tree' 'checkout a /r1' 'diff a /r1' 'gc' 'fsck'; do
                chroot jail /hacktree -q $verb
            done
            chroot jail /hacktree -q init --verity auto /other; chroot jail /hacktree -q --store /other commit -b a /tree
            """).Succeeded();
    }
}
