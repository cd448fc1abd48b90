using System.Diagnostics;
using System.Text.RegularExpressions;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>
/// The refs' turn between processes. A commit is stopped by SIGSTOP the moment that its syncfs(2) returns: as on a slow disk, but for as long as the
/// test likes.
/// </summary>
public sealed class TurnTests
{
    private const string Stopped = "stopped by SIGSTOP";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public void A_commit_in_its_sync_holds_up_no_other_writer()
    {
        Tools.Require("strace");
        using var root = new PhysicalRoot();
        SourceTree.Make(root.At("source"), 1);
        SourceTree.Make(root.At("slow"), 2);
        string first = root.Ok("commit", "-b", "main", root.At("source"));
        using StoppedCommit slow = StoppedCommit.Start(root, root.At("trace"), "-b", "slow", root.At("slow"));

        root.Ok("refs", "set", "other", "main");
        root.Ok("refs", "delete", "other");
        string second = root.Ok("commit", "-b", "main", root.At("source"));

        string third = slow.Finish();
        Assert.Equal([second, first], root.History("main"));
        Assert.Equal([third], root.History("slow"));
        root.AssertSound();
    }

    /// <summary>The first openat2(2) lists the refs, and the second one looks for what was just deleted.</summary>
    [Fact]
    public void A_ref_that_is_deleted_while_the_refs_are_listed_is_none_and_no_damage()
    {
        Tools.Require("strace");
        using var root = new PhysicalRoot();
        SourceTree.Make(root.At("source"), 1);
        root.Ok("commit", "-b", "gone", root.At("source"));

        ToolResult listed = Tools.Run(
            "strace",
            ["-f", "-o", root.At("trace"), "-P", $"{root.Store}/refs", "-e", "trace=openat2", "-e", "inject=openat2:error=ENOENT:when=2",
                Hacktree.Path, .. root.Arguments(["refs"])]);

        Assert.Contains("INJECTED", File.ReadAllText(root.At("trace")), StringComparison.Ordinal);
        Assert.Equal((0, "", ""), (listed.ExitCode, listed.Output, listed.Error));
    }

    [Fact]
    public void A_commit_that_another_one_overtook_in_its_sync_becomes_the_child_of_that_one()
    {
        Tools.Require("strace");
        using var root = new PhysicalRoot();
        SortedDictionary<string, string> tree = SourceTree.Make(root.At("slow"), 2);
        SourceTree.Make(root.At("source"), 1);
        using StoppedCommit slow = StoppedCommit.Start(root, root.At("trace"), "-b", "main", root.At("slow"));
        string first = root.Ok("commit", "-b", "main", root.At("source"));

        string second = slow.Finish();

        Assert.Equal([second, first], root.History("main"));
        root.AssertSound();
        root.AssertHolds("main", tree);
        root.AssertCleanAfterGc();
        Assert.Equal([second, first], root.History("main"));
    }

    [Fact]
    public void A_parent_that_was_given_stays_whatever_the_ref_names_meanwhile()
    {
        Tools.Require("strace");
        using var root = new PhysicalRoot();
        SourceTree.Make(root.At("source"), 1);
        string first = root.Ok("commit", "-b", "main", root.At("source"));
        using StoppedCommit slow = StoppedCommit.Start(root, root.At("trace"), "-b", "main", "--parent", first, root.At("source"));
        root.Ok("commit", "-b", "main", root.At("source"));

        string second = slow.Finish();

        Assert.Equal([second, first], root.History("main"));
        root.AssertSound();
    }

    [Theory]
    [InlineData("ext4")]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public void After_a_power_cut_the_overtaken_commit_is_there_too(string type)
    {
        Hacktree.Require();
        Tools.Require("strace", $"mkfs.{type}");
        using var host = new LoopFilesystem("xfs", 2000);
        SortedDictionary<string, string> tree = SourceTree.Make(host.At("slow"), 2);
        SourceTree.Make(host.At("source"), 1);
        string image = host.At("image"), picture = host.At("picture"), first, second;
        using (FileStream file = File.Create(image))
        {
            file.SetLength(400L << 20);
        }

        Tools.Run($"mkfs.{type}", type == "ext4" ? "-qF" : "-qf", image).Succeeded();
        using (var disk = new LoopFilesystem(type, image))
        {
            disk.Mount();
            var root = new PhysicalRoot(disk.Path);
            using StoppedCommit slow = StoppedCommit.Start(root, host.At("trace"), "-b", "main", host.At("slow"));
            first = root.Ok("commit", "-b", "main", host.At("source"));
            second = slow.Finish();
            PowerCutTests.Clone(image, picture);
        }

        using var after = new LoopFilesystem(type, picture);
        after.Mount();
        var found = new PhysicalRoot(after.Path);
        Assert.Equal([second, first], found.History("main"));
        found.AssertSound();
        found.AssertEveryCommitWhole();
        found.AssertHolds("main", tree);
    }

    [Theory]
    [InlineData("commit", "-b", "other", "source")]
    [InlineData("refs", "set", "other", "main")]
    [InlineData("refs", "delete", "main")]
    public async Task Who_waits_for_the_turn_says_for_whom(params string[] arguments)
    {
        using var root = new PhysicalRoot();
        SourceTree.Make(root.At("source"), 1);
        root.Ok("commit", "-b", "main", root.At("source"));
        var start = new ProcessStartInfo(Hacktree.Path, root.Arguments(arguments)) { RedirectStandardError = true, RedirectStandardOutput = true, WorkingDirectory = root.Path };
        using var process = new Process { StartInfo = start };
        using (var store = ObjectStore.Open(root.Store, stop: TestContext.Current.CancellationToken))
        using (RefTurn.Take(store))
        {
            process.Start();
            string? line = await process.StandardError.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(Patience, TestContext.Current.CancellationToken);
            Assert.Matches($"^hacktree: waiting for .*\\(process {Environment.ProcessId}\\) to finish with {Regex.Escape(root.Store)}/refs$", line);
            Assert.False(process.WaitForExit(200));
        }

        Assert.True(process.WaitForExit(Patience));
        Assert.Equal(0, process.ExitCode);
        root.AssertSound();
    }

    /// <summary>A commit that stands still between its sync and what comes after, until it is told to go on.</summary>
    private sealed class StoppedCommit : IDisposable
    {
        private readonly Process strace;
        private readonly string program;

        private StoppedCommit(Process strace, string program)
        {
            this.strace = strace;
            this.program = program;
        }

        public static StoppedCommit Start(PhysicalRoot root, string trace, params string[] arguments)
        {
            string[] inject = ["-f", "-qq", "-o", trace, "-e", "trace=syncfs", "-e", "signal=SIGSTOP", "-e", "inject=syncfs:signal=SIGSTOP:when=1"];
            string[] command = [.. inject, Hacktree.Path, .. root.Arguments(["commit", "--quiet", .. arguments])];
            Process strace = Process.Start(new ProcessStartInfo("strace", command) { RedirectStandardOutput = true })!;
            string line = "";
            bool isStopped = SpinWait.SpinUntil(
                () =>
                {
                    Thread.Sleep(10);
                    line = File.Exists(trace) ? File.ReadLines(trace).FirstOrDefault(text => text.Contains(Stopped, StringComparison.Ordinal), "") : "";
                    return line.Length > 0 || strace.HasExited;
                },
                Patience);
            Assert.True(isStopped && line.Length > 0, "the commit did not come to its sync");

            // A signal goes to the whole process, by any of its threads.
            return new StoppedCommit(strace, line.Split(' ')[0]);
        }

        /// <summary>Lets it go on to its end; answers the commit.</summary>
        public string Finish()
        {
            Tools.Run("kill", "-CONT", program).Succeeded();
            string commit = strace.StandardOutput.ReadToEnd().Trim();
            Assert.True(strace.WaitForExit(Patience));
            Assert.Equal(0, strace.ExitCode);
            return commit;
        }

        public void Dispose()
        {
            if (!strace.HasExited)
            {
                _ = Tools.Run("kill", "-KILL", program);
                strace.WaitForExit();
            }

            strace.Dispose();
        }
    }
}
