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
