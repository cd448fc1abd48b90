using HackTree.Model;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>A commit of a tree a hundred thousand directories deep.</summary>
public sealed class DeepTreeTests : IDisposable
{
    private const int Depth = 100_000;

    private readonly PhysicalRoot root = new();

    public DeepTreeTests()
    {
        using var forgery = new PackForgery(root.Store);
        Digest tree = forgery.AddTree(PackForgery.Tree(1, PackForgery.Symlink("bottom", "reached")));
        for (int i = 0; i < Depth; i++)
        {
            tree = forgery.AddTree(PackForgery.Tree(1, PackForgery.Directory("d", tree)));
        }

        forgery.Publish("deep", forgery.AddCommit(tree));
        using var other = new PackForgery(root.Store);
        other.Publish("flat", other.AddCommit(other.AddTree(PackForgery.Tree(1, PackForgery.Symlink("a", "b")))));
    }

    public void Dispose() => root.Dispose();

    [Fact]
    public void Every_command_works_or_refuses_with_one_sentence_and_what_it_made_can_be_removed()
    {
        root.AssertSound();
        root.Ok("gc");
        foreach (string[] command in new[] { new[] { "diff", "--stat", "flat", "deep" }, ["diff", "deep", "deep"], ["checkout", "deep", root.At("r1")] })
        {
            ToolResult result = root.Run(command);
            if (result.ExitCode is not (0 or 3))
            {
                Hacktree.Refused(result);
            }
        }

        root.Ok("checkout", "--force", "flat", root.At("r1"));
        Assert.Equal(["a"], Directory.GetFileSystemEntries(root.At("r1")).Select(Path.GetFileName));
        root.AssertCleanAfterGc();
    }

    [Fact]
    public void With_few_open_files_allowed_a_checkout_says_so_and_gc_removes_what_it_made()
    {
        Tools.Require("prlimit");
        string[] few = ["--nofile=512:512", Hacktree.Path, .. root.Arguments("checkout", "deep", root.At("r1"))];
        Assert.Contains("too few descriptors", Hacktree.Refused(Tools.Run("prlimit", few)), StringComparison.Ordinal);
        Assert.False(Directory.Exists(root.At("r1")));
        root.AssertCleanAfterGc();
    }
}
