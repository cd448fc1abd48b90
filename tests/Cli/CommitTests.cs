using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Cli;

/// <summary>What people type and expect of `commit`: messages as with git, unchanged trees, the commit of a root as parent.</summary>
public sealed class CommitTests : IDisposable
{
    private readonly CliWorld world = new();

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData("one\n", "-m", "one")]
    [InlineData("one\n\n    two\n    three\n", "-m", "one", "-m", "two\nthree")]
    [InlineData("one\n\n    two\n", "--message", "one\n\ntwo")]
    [InlineData("one\n\n    two\n    three\n", "-m", "one\ntwo\nthree")]
    [InlineData("sub\n\n    one\n", "-s", "sub", "-m", "one")]
    [InlineData("sub\n\n    one\n\n    two\n", "-s", "sub", "-m", "one", "--body", "two")]
    [InlineData("sub\n\n    text\n", "-s", "sub", "--body", "text")]
    public void The_first_line_of_a_message_is_the_subject(string shown, params string[] options)
    {
        world.Commit("a", options);
        Assert.EndsWith($"\n\n    {shown}", world.Run("show", "a").Succeeded());
    }

    [Fact]
    public void An_unchanged_tree_is_said_to_be_so()
    {
        string first = world.Commit("a");
        Assert.Contains($"hacktree: nothing has changed since commit {first[..16]}\n", world.Run("commit", "-b", "a", "tree").Error);
        world.Shell("echo more > tree/etc/more").Succeeded();
        Assert.DoesNotContain("nothing has changed", world.Run("commit", "-b", "a", "tree").Error);
        world.Shell("chmod 700 tree").Succeeded();
        Assert.DoesNotContain("nothing has changed", world.Run("commit", "-b", "a", "tree").Error);
    }

    [Fact]
    public void Directories_commits_and_archives_are_laid_over_one_another_in_the_order_given()
    {
        world.Commit("below");
        world.Shell("""
            set -e
            mkdir -p a/etc b/etc c/usr expected; echo a > a/etc/name; echo a > a/etc/passwd; echo b > b/etc/name; ln -s share b/usr
            : > c/usr/.wh.share; echo c > c/usr/c; : > c/etc-new; tar -C c -cf c.tar usr etc-new
            find a b c -exec touch -h -d '2024-05-06 07:08:09Z' {} +; tar -C c -cf c.tar usr etc-new
            """).Succeeded();
        world.Shell("""
            set -e
            $H commit -q -b over --tree below --tree a --tar c.tar --tree=b
            $H commit -q -b one --tree below --tree a --tar c.tar
            $H commit -q -b two --tar c.tar --tree a --tree below
            $H commit -q -b single --tree tree
            $H fsck; $H gc -q; $H fsck
            """).Succeeded();
        Assert.Equal("etc etc/name etc/os-release etc/passwd etc-new usr usr/bin usr/bin/hello usr/bin/hi usr/c", Names("one"));
        Assert.Equal("a\n", world.Run("cat", "one", "etc/passwd").Succeeded());
        Assert.Equal("root:x:0:0\n", world.Run("cat", "two", "etc/passwd").Succeeded());
        Assert.Contains("usr/share/doc", Names("two"));
        Assert.Equal("share", world.Run("ls", "--json", "over").Succeeded().Split("\"target\":\"")[1].Split('"')[0]);
        Assert.Equal(Tree("below"), Tree("single"));

        // The order counts, and a commit that does not exist is told.
        Assert.Equal("b\n", world.Run("cat", "over", "etc/name").Succeeded());
        Assert.Contains("nothere", world.Run("commit", "-b", "x", "--tree", "a", "--tree", "nothere").Error);
        Assert.Equal(2, world.Run("commit", "-b", "x", "--tree", "a", "b").ExitCode);
        Assert.Equal(2, world.Run("commit", "-b", "x", "--tree", "a", "--consume").ExitCode);

        string Names(string commit) => string.Join(' ', System.Text.Json.JsonDocument.Parse(world.Run("ls", "-R", "--json", commit).Succeeded())
            .RootElement.EnumerateArray().Select(entry => entry.GetProperty("path").GetString()));
        string Tree(string commit) => System.Text.Json.JsonDocument.Parse(world.Run("show", "--json", commit).Succeeded()).RootElement.GetProperty("tree").GetString()!;
    }

    [Fact]
    public void It_can_be_left_uncommitted()
    {
        string first = world.Commit("a", "--skip-if-unchanged");
        ToolResult result = world.Run("commit", "-b", "a", "--skip-if-unchanged", "tree");
        Assert.Equal($"{first}\n", result.Succeeded());
        Assert.Contains("a: nothing has changed, and no commit was made", result.Error);
        Assert.Single(world.Run("log", "a").Succeeded().Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal($"{first}\n", world.Shell("tar -C tree -cf - . | $H commit -b a --skip-if-unchanged --tar -").Succeeded());

        // Another ref has no such commit yet.
        Assert.NotEqual("", world.Run("commit", "-b", "b", "--parent", "a", "--skip-if-unchanged", "tree").Succeeded());
        Assert.Equal(2, world.Run("refs").Succeeded().Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        world.Shell("echo more > tree/etc/more").Succeeded();
        Assert.NotEqual(first, world.Commit("a", "--skip-if-unchanged"));
    }

    [Fact]
    public void A_new_ref_continues_from_the_commit_of_the_root()
    {
        string first = world.Commit("a");
        world.Run("checkout", "a", "r1").Succeeded();
        world.Shell("echo more > r1/etc/more").Succeeded();
        world.Commit("a");
        ToolResult result = world.Run("commit", "-b", "next", "r1");
        Assert.Contains($"the parent is {first[..16]}, the commit of the root {world.At("r1")}", result.Error);
        Assert.Contains($"parent   {first}\n", world.Run("show", "next").Succeeded());

        // The ref goes on with its own history, and --parent decides for itself.
        Assert.DoesNotContain("the parent is", world.Run("commit", "-b", "next", "r1").Error);
        Assert.Contains($"parent   {result.Output}", world.Run("show", "next").Succeeded());
        Assert.DoesNotContain("the parent is", world.Run("commit", "-b", "other", "--parent", "a", "r1").Error);
        Assert.DoesNotContain("the parent is", world.Run("commit", "-b", "plain", "tree").Error);
    }

    [Fact]
    public void The_running_root_does_so_too()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can bind mounts");
        string first = world.Commit("a");
        world.Shell("""
            $H checkout -q a r1
            unshare --mount bash -c 'mkdir seen; mount --bind r1 seen; mount -t tmpfs none seen/etc; $H commit -b next seen'
            """).Succeeded();
        Assert.Contains($"parent   {first}\n", world.Run("show", "next").Succeeded());
        Assert.Equal(0, world.Run("diff", "a", "next").ExitCode);
    }

    [Fact]
    public void Old_refs_with_names_that_mean_something_else_are_read_and_deleted()
    {
        string commit = world.Commit("a");
        world.Shell("cp objects/refs/a objects/refs/HEAD; cp objects/refs/a objects/refs/a..b").Succeeded();
        Assert.Contains("HEAD", world.Run("refs").Succeeded());
        Assert.Contains(commit, world.Run("show", "a..b").Succeeded());
        world.Shell("$H fsck; $H refs delete HEAD; $H refs delete a..b").Succeeded();
        Assert.DoesNotContain("HEAD", world.Run("refs").Succeeded());
    }
}
