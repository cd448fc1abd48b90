using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>
/// System calls that fail one after the other, as on a failing or a full disk: strace answers in the kernel's place. Whichever it is, the
/// program says so in one sentence, a root is the old commit or the new one or not there, and gc finds all that was left.
/// </summary>
public sealed class FailingCallTests
{
    private static readonly (string Call, string Error)[] Failures =
    [
        ("fsync", "EIO"), ("syncfs", "EIO"), ("pwrite64", "ENOSPC"), ("mkdirat", "ENOSPC"), ("linkat", "ENOSPC"),
        ("symlinkat", "ENOSPC"), ("renameat", "ENOSPC"), ("renameat2", "EIO"), ("unlinkat", "EIO"),
    ];

    [Theory]
    [InlineData("checkout new r1")]
    [InlineData("checkout --copy new r1")]
    [InlineData("checkout --force new r0")]
    [InlineData("checkout --from r0 new r1")]
    [InlineData("checkout --from r0 new r0")]
    [InlineData("checkout --boot --from r0 new r1")]
    [InlineData("checkout --boot --from r0 new r0")]
    [InlineData("roots rm r0")]
    [InlineData("commit -b newer r0")]
    [InlineData("gc")]
    public void Whichever_call_fails_nothing_is_lost(string command)
    {
        Tools.Require("strace");
        foreach ((string call, string error) in Failures)
        {
            using var world = new TwoCommits(boots: command.Contains("--boot", StringComparison.Ordinal));
            for (int number = 1; ; number++)
            {
                if (command == "gc")
                {
                    world.MakeChange();
                }

                if (!RunFailing(world, command, call, error, number, out ToolResult result))
                {
                    break;
                }

                if (result.ExitCode != 0)
                {
                    Hacktree.Refused(result);
                }

                world.AssertNothingLost();
                world.ResetRoots();
            }
        }
    }

    [Fact]
    public void Killed_at_any_call_a_root_that_boots_is_what_it_was_or_another_commits_or_litter()
    {
        Tools.Require("strace");
        foreach (string call in new[] { "renameat2", "renameat", "linkat", "unlinkat", "syncfs" })
        {
            using var world = new TwoCommits(boots: true);
            for (int number = 1; ; number++)
            {
                world.RunTraced("checkout --boot --from r0 new r0", ["-e", $"trace={call}", "-e", $"inject={call}:signal=KILL:when={number}"], out string trace);
                if (!trace.Contains("killed by SIGKILL", StringComparison.Ordinal))
                {
                    break;
                }

                world.AssertNothingLost();
                world.ResetRoots();
            }
        }
    }

    [Fact]
    public void A_root_that_cannot_be_recorded_as_taken_keeps_its_name()
    {
        Tools.Require("strace");
        using var world = new TwoCommits();
        PhysicalRoot root = world.Root;

        // The first record says that the root is about to be changed, the second which inode it has.
        Assert.True(RunFailing(world, "checkout --from r0 new r0", "renameat", "ENOSPC", 2, out ToolResult result));
        Assert.Contains("no space left", Hacktree.Refused(result), StringComparison.Ordinal);
        Snapshot.AssertSame(world.Old, Snapshot.Of(root.At("r0")));
        root.Ok("checkout", "--from", root.At("r0"), "new", root.At("r0"));
        Snapshot.AssertSame(world.New, Snapshot.Of(root.At("r0")));
        root.AssertCleanAfterGc();
    }

    [Fact]
    public void A_root_that_was_changed_back_when_its_process_was_killed_is_recorded_as_what_it_is()
    {
        Tools.Require("strace");
        using var world = new TwoCommits();
        PhysicalRoot root = world.Root;

        // Without that object the new commit cannot be made. The kill comes when the root has its own name again and its build record is to go.
        string digest = root.Ok("hash", root.At("source/d/h"))[7..71];
        string needed = Directory.GetFiles($"{root.Store}/files/{digest[..2]}", $"{digest[2..]}.*").Single();
        File.Move(needed, root.At("aside"));
        world.RunTraced("checkout --from r0 new r0", ["-P", "r0.partial.json", "-e", "trace=unlinkat", "-e", "inject=unlinkat:signal=KILL"], out string trace);
        File.Move(root.At("aside"), needed);

        Assert.Contains("killed by SIGKILL", trace, StringComparison.Ordinal);
        Snapshot.AssertSame(world.Old, Snapshot.Of(root.At("r0")));
        world.AssertNothingLost();
        Assert.Contains(root.Tip("old")!, File.ReadAllText($"{root.Store}/roots/r0.json"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_commit_whose_sync_fails_is_in_no_pack()
    {
        Tools.Require("strace");
        using var world = new TwoCommits();
        string[] packs = Directory.GetFiles($"{world.Root.Store}/packs");

        Assert.True(RunFailing(world, "commit -b newer source", "syncfs", "EIO", 1, out ToolResult result));
        Hacktree.Refused(result);
        Assert.Equal(packs, Directory.GetFiles($"{world.Root.Store}/packs"));
    }

    [Theory]
    [InlineData("flistxattr", "a/f1")]
    [InlineData("pread64", "d/h")]
    [InlineData("statx", "d/h")]
    [InlineData("flistxattr", "d")]
    [InlineData("getdents64", "d")]
    public void A_commit_names_what_it_could_not_read(string call, string path)
    {
        Tools.Require("strace");
        using var world = new TwoCommits();
        world.MakeChange();
        string place = world.Root.At($"source/{path}");
        ToolResult result = world.RunTraced("commit -b x source", ["-P", place, "-e", $"trace={call}", "-e", $"inject={call}:error=EIO"], out _);
        Assert.Contains($"{place}: input/output error", Hacktree.Refused(result), StringComparison.Ordinal);
    }

    /// <summary>Runs a command of which one call fails; answers whether it came to that call.</summary>
    private static bool RunFailing(TwoCommits world, string command, string call, string error, int number, out ToolResult result)
    {
        result = world.RunTraced(command, ["-e", $"trace={call}", "-e", $"inject={call}:error={error}:when={number}"], out string trace);
        return trace.Contains("(INJECTED)", StringComparison.Ordinal);
    }
}
