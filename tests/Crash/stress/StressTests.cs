using System.Globalization;
using System.Text.RegularExpressions;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Crash;

/// <summary>
/// Everything at once on one store, with kill -9, SIGTERM and a full disk at random (<see cref="StressRun"/>): no command hangs, and nothing is lost. `make
/// test-stress` runs it for two minutes, or for $HACKTREE_STRESS_SECONDS; $HACKTREE_CRASH_SEED is another seed. out/stress has what was measured.
/// </summary>
public sealed partial class StressTests
{
    private const int Stopped = 128 + 15;

    /// <summary>What a command may be refused with here: that the disk is full, or that a root which is to be advanced was left by a killed checkout.</summary>
    private static readonly string[] Refusals = ["no space left on the filesystem", " are to be stored, and ", StressRun.Interrupted];

    private static TimeSpan Time =>
        TimeSpan.FromSeconds(int.TryParse(Environment.GetEnvironmentVariable("HACKTREE_STRESS_SECONDS"), CultureInfo.InvariantCulture, out int seconds) ? seconds : 30);

    [Fact(Explicit = true)]
    public void Whatever_is_killed_stopped_or_out_of_space_nothing_is_lost_and_nobody_waits_for_ever()
    {
        using var run = new StressRun(PhysicalRoot.Seed);
        TimeSpan[] alone = run.Alone(20);
        run.Run(Time);
        string report = Report(run, alone);
        File.WriteAllText(Path.Combine(Repository.Root, "out", "stress"), report);
        TestContext.Current.TestOutputHelper?.WriteLine(report);

        string seed = $"seed {PhysicalRoot.Seed}";
        Assert.True(run.Stuck.Count == 0, $"{seed}: {string.Join('\n', run.Stuck)}");
        string[] odd = [.. run.Commands.Where(command => !IsExpected(command)).Select(command => command.ToString())];
        Assert.True(odd.Length == 0, $"{seed}: {string.Join('\n', odd.Take(20))}");
        Assert.All(run.Acknowledged.Values, made => AssertInHistory(run.Root, made.Ref, made.Commit));
        AssertRootsWhole(run.Root);
        run.Root.AssertCleanAfterGc();
        run.Root.AssertEveryCommitWhole();
    }

    /// <summary>A command that was not signalled did what it should, or was refused in one sentence for a reason that there was.</summary>
    private static bool IsExpected(StressCommand command) =>
        command.ExitCode == 0
        || command.IsSignalled && command.ExitCode is Stopped or 128 + 9
        || (command.ExitCode == 1 && command.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries) is [.., var line]
            && Array.Exists(Refusals, refusal => line.Contains(refusal, StringComparison.Ordinal)));

    private static void AssertInHistory(PhysicalRoot root, string name, string made)
    {
        using ObjectStore store = ObjectStore.Open(root.Store);
        Assert.True(Digest.TryParse(made, out Digest commit), made);
        Assert.True(RefHistory.Has(store, [store.Refs.Find(name)], commit), $"{name} has lost {made}");
    }

    /// <summary>Each finished root is name for name, and byte for byte, what a fresh checkout of its commit is.</summary>
    private static void AssertRootsWhole(PhysicalRoot root)
    {
        foreach (string record in Directory.GetFiles($"{root.Store}/roots", "*.json").Where(path => !path.EndsWith(".partial.json", StringComparison.Ordinal)))
        {
            string name = Path.GetFileNameWithoutExtension(record);
            if (Directory.Exists(root.At(name)))
            {
                string commit = CommitIn().Match(File.ReadAllText(record)).Groups[1].Value;
                root.AssertHolds(commit, Snapshot.Of(root.At(name)));
            }
        }
    }

    private static string Report(StressRun run, TimeSpan[] alone)
    {
        string[] lines =
        [
            .. run.Commands.GroupBy(command => command.Kind).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group =>
                $"{group.Key}: {group.Count()} commands, {group.Count(command => command.IsDone)} done, {group.Count(command => command.IsSignalled)} signalled, "
                + $"{group.Count(command => command.ExitCode == 1)} refused; longest {Milliseconds(group.Max(command => command.Time))}"),
        ];
        TimeSpan[] commits = [.. run.Commands.Where(command => command is { Kind: "commit", IsDone: true }).Select(command => command.Time).Order()];
        string times = commits.Length == 0 ? "no commit" : $"p50 {At(commits, 50)}, p99 {At(commits, 99)}, longest {At(commits, 100)}";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"seed {PhysicalRoot.Seed}, {Time.TotalSeconds:F0} s\n{string.Join('\n', lines)}\ncommits beside the others: {times}; alone: p50 {At([.. alone.Order()], 50)}\n");
    }

    private static string At(TimeSpan[] sorted, int percent) => Milliseconds(sorted[Math.Min(sorted.Length - 1, sorted.Length * percent / 100)]);

    private static string Milliseconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds:F0} ms");

    [GeneratedRegex("\"commit\": \"([0-9a-f]{64})\"")]
    private static partial Regex CommitIn();
}
