using System.Diagnostics;
using HackTree.Linux;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Crash;

/// <summary>
/// SIGINT and SIGTERM for each command that writes: the command ends soon, says what was not done, leaves nothing half done, and succeeds when it is
/// run again.
/// </summary>
public sealed class StopSignalTests : IDisposable
{
    // Generous: other tests use the processors too.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly string[] Commands =
    [
        "commit -b main new", "checkout main r1", "checkout --copy main r2", "export main --tar out.tar", "initrd segment -o out.gz", "gc", "fsck",
    ];

    private readonly PhysicalRoot root = new();

    public void Dispose() => root.Dispose();

    /// <summary>The signal comes in the middle of a system call, which then waits until the program has heard of the signal.</summary>
    [Theory]
    [InlineData("commit -b newer source", "linkat syncfs renameat2")]
    [InlineData("commit -b newer --consume source", "linkat syncfs unlinkat")]
    [InlineData("checkout new r1", "mkdirat linkat renameat2")]
    [InlineData("checkout --copy new r1", "mkdirat syncfs")]
    [InlineData("checkout --boot new r1", "linkat")]
    [InlineData("checkout --force new r0", "linkat unlinkat")]
    [InlineData("checkout --from r0 new r1", "mkdirat linkat unlinkat")]
    [InlineData("checkout --from r0 new r0", "linkat unlinkat")]
    [InlineData("gc", "fsync unlinkat")]
    public void A_command_that_is_stopped_in_a_call_is_not_done_or_whole(string command, string calls)
    {
        Tools.Require("strace", "taskset");
        int stopped = 0;
        foreach (string call in calls.Split(' '))
        {
            foreach (int number in new[] { 1, 2, 5 })
            {
                using var place = new PhysicalRoot();
                Stage stage = Stage.Make(place);
                string signal = number == 1 ? "INT" : "TERM";
                ToolResult result = RunSignalled(place, command, call, number, signal, out bool isInjected);
                if (!isInjected)
                {
                    break;
                }

                stopped += result.ExitCode == 0 ? 0 : 1;
                stage.AssertStoppedOrDone(place, result, signal);
                if (result.ExitCode != 0)
                {
                    stage.AssertAgain(place, Words(place, command));
                }
            }
        }

        Assert.NotEqual(0, stopped);
    }

    [Fact]
    public void A_removal_that_is_stopped_after_the_root_lost_its_name_is_finished_where_that_takes_a_moment()
    {
        Tools.Require("strace", "taskset");
        Stage stage = Stage.Make(root);
        ToolResult result = RunSignalled(root, "roots rm r0", "renameat2", 1, "TERM", out bool isInjected);
        Assert.True(isInjected);
        stage.AssertStoppedOrDone(root, result, "TERM");
        Assert.False(Directory.Exists(root.At("r0")));
        root.AssertCleanAfterGc();
    }

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public void A_command_that_is_stopped_at_any_moment_is_not_done_or_whole(string signal)
    {
        var random = new Random(PhysicalRoot.Seed);
        SortedDictionary<string, string> tree = SourceTree.Make(root.At("source"), 1);
        root.Ok("commit", "-b", "main", root.At("source"));
        for (int round = 0; round < PhysicalRoot.Rounds(4); round++)
        {
            SourceTree.Make(root.At("new"), 2 + round);
            foreach (string command in Commands)
            {
                using Process process = Start(root.Arguments(Words(root, command)));
                Thread.Sleep(random.Next(60));
                ToolResult result = Stop(process, signal);
                Assert.True(result.ExitCode == 0 || IsStopped(result, signal) || IsKilledAtStart(result, signal), $"{command}: exit code {result.ExitCode}: {result.Error}");
                Assert.Empty(Directory.GetFileSystemEntries(root.Path, "*.partial").Where(_ => !result.Error.Contains("gc removes", StringComparison.Ordinal)));
                Assert.Empty(Directory.GetFileSystemEntries($"{root.Store}/tmp", "unsynced-*"));
                root.AssertSound();
            }

            Tools.Run("rm", "-rf", root.At("r1"), root.At("r2")).Succeeded();
            root.AssertCleanAfterGc();
        }

        root.Ok("commit", "-b", "old", root.At("source"));
        root.AssertHolds("old", tree);
    }

    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    [InlineData("HUP")]
    public void A_commit_that_waits_for_its_archive_stops(string signal)
    {
        using Process process = Start(root.Arguments("commit", "-b", "main", "--tar", "-"));
        WaitUntilHandled(process);
        Thread.Sleep(200);
        ToolResult result = Stop(process, signal);
        Assert.True(IsStopped(result, signal), result.Error);
        Assert.Equal("hacktree: stopped; nothing was committed\n", result.Error);
        root.AssertCleanAfterGc();
    }

    [Theory]
    [InlineData("lock", "commit -b newer source")]
    [InlineData("lock", "checkout old r1")]
    [InlineData("lock", "gc")]
    [InlineData("lock", "fsck")]
    [InlineData("refs", "refs set main new")]
    [InlineData("refs", "refs delete old")]
    [InlineData("refs", "commit -b newer source")]
    public void A_command_that_waits_for_another_process_stops(string what, string command)
    {
        Stage stage = Stage.Make(root);
        ToolResult result;
        Sys.Open(Sys.WorkingDirectory, System.Text.Encoding.UTF8.GetBytes($"{root.Store}/{what}"), OpenFlags.ReadOnly, out SafeFileHandle held).ThrowIfFailed("openat", what);
        using (held)
        {
            Sys.Lock(held, LockKind.Exclusive, wait: true).ThrowIfFailed("flock", what);
            using Process process = Start(root.Arguments(Words(root, command)));
            Assert.False(process.WaitForExit(400), "it does not wait");
            result = Stop(process, "TERM");
        }

        Assert.True(IsStopped(result, "TERM"), result.Error);
        stage.AssertStoppedOrDone(root, new ToolResult(result.ExitCode, "", Last(result.Error)), "TERM");
        stage.AssertAgain(root, Words(root, command));
    }

    [Fact]
    public void A_command_that_changes_nothing_ends_though_nobody_takes_its_output()
    {
        SourceTree.Make(root.At("source"), 1);
        root.Ok("commit", "-b", "main", root.At("source"));
        using Process process = Start(root.Arguments("export", "main", "--tar", "-"));
        Assert.False(process.WaitForExit(400), "the archive fits into the pipe");
        Signal(process, "INT");
        Assert.True(process.WaitForExit(Patience), "it does not end");
        Assert.Equal((130, "hacktree: stopped\n"), (process.ExitCode, process.StandardError.ReadToEnd()));
    }

    [Fact]
    public void A_second_signal_ends_the_process_at_once()
    {
        // Until somebody writes to it, a fifo does not open: there is no looking at a first signal.
        Tools.Run("mkfifo", root.At("fifo")).Succeeded();
        using Process process = Start(root.Arguments("commit", "-b", "main", "--tar", root.At("fifo")));
        WaitUntilHandled(process);
        Thread.Sleep(200);
        Signal(process, "INT");
        Assert.False(process.WaitForExit(400), "it looked");
        ToolResult result = Stop(process, "TERM");
        Assert.Equal((143, ""), (result.ExitCode, result.Error));
        root.AssertCleanAfterGc();
    }

    [Fact]
    public void A_signal_that_was_ignored_when_the_program_started_stays_ignored()
    {
        string[] command = [Hacktree.Path, .. root.Arguments("commit", "-b", "main", "--tar", "-")];
        using Process process = StartProgram("sh", ["-c", "trap '' HUP; exec \"$@\"", "sh", .. command]);
        WaitUntilHandled(process);
        Thread.Sleep(200);
        Signal(process, "HUP");
        Assert.False(process.WaitForExit(400), "it stopped");
        Assert.True(IsStopped(Stop(process, "TERM"), "TERM"));
    }

    /// <summary>Whether a command ended as by a signal, with one sentence at the end of what it said.</summary>
    private static bool IsStopped(ToolResult result, string signal) =>
        result.ExitCode == ExitCode(signal) && Last(result.Error).StartsWith("hacktree: stopped", StringComparison.Ordinal);

    /// <summary>Whether the signal came in the milliseconds before the program handles any, and does anything.</summary>
    private static bool IsKilledAtStart(ToolResult result, string signal) => (result.ExitCode, result.Error, result.Output) == (ExitCode(signal), "", "");

    private static int ExitCode(string signal) => 128 + (signal switch { "INT" => 2, "TERM" => 15, _ => 1 });

    private static string Last(string error) => error.TrimEnd('\n').Split('\n')[^1] + "\n";

    private static string[] Words(PhysicalRoot place, string command)
    {
        bool isCommit = command.StartsWith("commit", StringComparison.Ordinal);
        return [.. command.Split(' ').Select(word => IsPath(word) ? place.At(word) : word)];

        bool IsPath(string word) => word is "r0" or "r1" or "r2" or "source" or "out.tar" or "out.gz" || (isCommit && word == "new");
    }

    /// <summary>Runs a command on one processor that gets a signal in its n-th call of a kind.</summary>
    private static ToolResult RunSignalled(PhysicalRoot place, string command, string call, int number, string signal, out bool isInjected)
    {
        string trace = place.At("trace");
        string[] strace = ["-f", "-o", trace, "-e", $"trace={call}", "-e", $"inject={call}:signal={signal}:delay_exit=200000:when={number}"];
        ToolResult result = Tools.Run("env", ["--default-signal", "taskset", "1", "strace", .. strace, Hacktree.Path, "--quiet", .. place.Arguments(Words(place, command))]);
        string calls = File.ReadAllText(trace);
        isInjected = calls.Contains("(DELAYED)", StringComparison.Ordinal) || calls.Contains("(INJECTED)", StringComparison.Ordinal);
        return result;
    }

    // What a shell runs in the background has SIGINT ignored, and the program would respect that.
    private static Process Start(IEnumerable<string> arguments) => StartProgram("env", ["--default-signal", Hacktree.Path, .. arguments]);

    private static Process StartProgram(string program, IEnumerable<string> arguments) => Process.Start(new ProcessStartInfo(program, arguments)
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!;

    /// <summary>Waits until the program handles SIGTERM. On a busy machine a signal would otherwise come before the program handles any.</summary>
    private static void WaitUntilHandled(Process process) => Assert.True(SpinWait.SpinUntil(
        () =>
        {
            Thread.Sleep(5);
            string caught = File.ReadLines($"/proc/{process.Id}/status").First(line => line.StartsWith("SigCgt:", StringComparison.Ordinal));
            return (Convert.ToUInt64(caught["SigCgt:".Length..].Trim(), 16) & (1UL << (15 - 1))) != 0;
        },
        Patience));

    private static void Signal(Process process, string signal) => Tools.Run("sh", "-c", $"kill -{signal} {process.Id} || true").Succeeded();

    private static ToolResult Stop(Process process, string signal)
    {
        Signal(process, signal);
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.True(process.WaitForExit(Patience), "it does not end");
        return new ToolResult(process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
    }

    /// <summary>A store with the commits "old" and "new", a root of the old one, and a tree that is not committed.</summary>
    private sealed record Stage(SortedDictionary<string, string> Old, SortedDictionary<string, string> New, SortedDictionary<string, string> Source)
    {
        public static Stage Make(PhysicalRoot place)
        {
            string source = place.At("source");
            Directory.CreateDirectory(source);
            SortedDictionary<string, string> old = Change("mkdir -p a b/c etc; for i in 1 2 3; do echo $i > a/f$i; echo x$i > b/c/g$i; done; ln -s f1 a/link; echo e > etc/e");
            place.Ok("commit", "-b", "old", source);
            SortedDictionary<string, string> @new = Change("echo other > a/f2; rm -r b/c; mkdir d; for i in 1 2 3; do mkdir d/$i; echo d$i > d/$i/h; done; ln -sfn f2 a/link");
            place.Ok("commit", "-b", "new", source);
            place.Ok("checkout", "old", place.At("r0"));

            // What gc frees.
            Change("echo dropped > d/x1; echo dropped, too > d/x2");
            place.Ok("commit", "-b", "dropped", source);
            place.Ok("refs", "delete", "dropped");
            SortedDictionary<string, string> last = Change("rm d/x?; for i in 1 2 3 4 5 6; do echo new$i > d/n$i; done");
            return new Stage(old, @new, last);

            SortedDictionary<string, string> Change(string script)
            {
                Tools.Run("sh", "-ec", $"cd {source}; {script}").Succeeded();
                return Snapshot.Of(source);
            }
        }

        /// <summary>Done, or stopped with a sentence. Either way nothing is half done, and what the sentence leaves to gc has a record.</summary>
        public void AssertStoppedOrDone(PhysicalRoot place, ToolResult result, string signal)
        {
            string told = $"exit code {result.ExitCode}: {result.Error}";
            Assert.True(result.ExitCode == 0 || (IsStopped(result, signal) && result.Error.IndexOf('\n', StringComparison.Ordinal) == result.Error.Length - 1), told);
            string[] partial = Directory.GetFileSystemEntries(place.Path, ".*.partial");
            string[] records = Directory.GetFileSystemEntries($"{place.Store}/roots", "*.partial.json");
            bool isLeftToGc = result.Error.Contains("gc removes", StringComparison.Ordinal);
            Assert.True(isLeftToGc || partial.Length + records.Length == 0, $"{told}; {string.Join(", ", partial.Concat(records))}");
            Assert.Empty(Directory.GetFileSystemEntries(place.Path, "*.partial"));
            Assert.Empty(Directory.GetFileSystemEntries($"{place.Store}/tmp", "unsynced-*"));
            place.AssertSound();
            foreach (string made in new[] { place.At("r0"), place.At("r1") }.Where(Directory.Exists))
            {
                SortedDictionary<string, string> found = Snapshot.Of(made);
                Assert.True(found.SequenceEqual(Old) || result.ExitCode == 0 || found.SequenceEqual(New), $"{made}: {told}");
            }

            if (result.ExitCode != 0 && Directory.Exists(place.At("source")))
            {
                Snapshot.AssertSame(Source, Snapshot.Of(place.At("source")));
            }
        }

        /// <summary>What was not done can be done now.</summary>
        public void AssertAgain(PhysicalRoot place, string[] words)
        {
            place.Ok(words);
            place.AssertCleanAfterGc();
            place.AssertHolds("new", New);
        }
    }
}
