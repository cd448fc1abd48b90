using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>A commit that merges packs, as the program makes it, and what can come between.</summary>
public sealed class MergingCommitTests : IDisposable
{
    private const int Killed = 137;

    private readonly PhysicalRoot root = new();

    public void Dispose() => root.Dispose();

    [Fact]
    public void A_commit_that_is_killed_while_it_merges_loses_nothing()
    {
        Tools.Require("strace");
        FillUp();
        Tools.Run("cp", "-a", root.Store, root.At("before")).Succeeded();
        int kills = 0;
        foreach (string call in new[] { "fsync", "renameat,renameat2", "linkat", "unlinkat" })
        {
            ToolResult result;
            int number = 0;
            do
            {
                Tools.Run("rm", "-rf", root.Store).Succeeded();
                Tools.Run("cp", "-a", root.At("before"), root.Store).Succeeded();
                number += call == "unlinkat" ? 9 : 1;
                string[] strace =
                [
                    "-f", "-qq", "-o", "/dev/null", "-P", $"{root.Store}/packs", "-P", $"{root.Store}/tmp",
                    "-e", $"trace={call}", "-e", $"inject={call}:signal=KILL:when={number}",
                ];
                result = Tools.Run("strace", [.. strace, Hacktree.Path, .. root.Arguments("commit", "-q", "-b", "main", root.At("source"))]);
                Assert.True(result.ExitCode is 0 or Killed, $"{call} {number}: exit code {result.ExitCode}: {result.Error}");
                kills += result.ExitCode == Killed ? 1 : 0;
                root.AssertSound();
                Assert.InRange(root.History("main").Count, PackMerge.MostPacks, PackMerge.MostPacks + 1);
            }
            while (result.ExitCode == Killed);

            Assert.Equal(1, Packs());
        }

        Assert.True(kills >= 8, $"only {kills} kills");
        root.AssertCleanAfterGc();
    }

    [Fact]
    public void A_disk_that_is_too_full_for_a_merge_is_not_too_full_for_the_commit()
    {
        Tools.Require("strace");
        FillUp();
        string[] strace = ["-f", "-qq", "-o", "/dev/null", "-P", $"{root.Store}/packs", "-e", "trace=renameat,renameat2", "-e", "inject=renameat,renameat2:error=ENOSPC"];
        Tools.Run("strace", [.. strace, Hacktree.Path, .. root.Arguments("commit", "-q", "-b", "main", root.At("source"))]).Succeeded();
        Assert.Equal(PackMerge.MostPacks + 1, Packs());
        root.AssertSound();

        root.Ok("commit", "-q", "-b", "main", root.At("source"));
        Assert.Equal(1, Packs());
        root.AssertSound();
    }

    [Theory]
    [InlineData("fsck")]
    [InlineData("log", "main")]
    [InlineData("gc", "--dry-run")]
    public async Task A_command_that_listed_packs_which_are_merged_before_it_opens_them_looks_again(params string[] command)
    {
        Tools.Require("strace");
        FillUp();

        // The commit has three seconds between the other's listing of the packs and its opening of them.
        string[] strace = ["-f", "-qq", "-o", "/dev/null", "-P", $"{root.Store}/packs", "-e", "trace=getdents64", "-e", "inject=getdents64:delay_exit=3s:when=1"];
        Task<ToolResult> reader = Task.Run(() => Tools.Run("strace", [.. strace, Hacktree.Path, .. root.Arguments(command)]), TestContext.Current.CancellationToken);
        await Task.Delay(500, TestContext.Current.CancellationToken);
        root.Ok("commit", "-q", "-b", "main", root.At("source"));
        Assert.Equal(1, Packs());
        (await reader).Succeeded();
        root.AssertSound();
    }

    /// <summary>As many packs as there may be without a merge, and a source for one more.</summary>
    private void FillUp()
    {
        Directory.CreateDirectory(root.At("source"));
        for (int i = 0; i <= PackMerge.MostPacks; i++)
        {
            File.WriteAllText(root.At("source/file"), $"{i}");
            if (i < PackMerge.MostPacks)
            {
                root.Ok("commit", "-q", "-b", "main", root.At("source"));
            }
        }

        Assert.Equal(PackMerge.MostPacks, Packs());
    }

    private int Packs() => Directory.GetFiles($"{root.Store}/packs").Length;
}
