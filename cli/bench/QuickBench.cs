using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Cli;

/// <summary>The times of one kind of work.</summary>
/// <param name="Name">The kind of work.</param>
/// <param name="Times">The time of each round.</param>
internal sealed record BenchWork(string Name, IReadOnlyList<TimeSpan> Times)
{
    internal const string Checkout = "checkout";
    internal const string Floor = "checkout, bare calls";
    internal const string Copy = "cp -al";

    /// <summary>The middle time. For an even number of rounds, the mean of the two in the middle.</summary>
    internal TimeSpan Median
    {
        get
        {
            TimeSpan[] sorted = [.. Times.Order()];
            return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        }
    }

    /// <summary>Whether the work does what the bare calls do, so that their time is its floor.</summary>
    internal bool HasFloor => Name is Checkout or Floor or Copy;
}

/// <summary>
/// Times this program's commands on a temporary store in a directory of the disk to measure. Each command is a process of its own, as users
/// run it.
/// </summary>
internal sealed class QuickBench(string tree, string place, CancellationToken stop)
{
    private const int ChangedOneOf = 100;

    private readonly Dictionary<string, List<TimeSpan>> times = [];
    private readonly string program = Environment.ProcessPath
        ?? throw new StoreException("/proc is not mounted, and without it this program cannot find itself");


    /// <summary>All work that was timed, in the order it was done.</summary>
    internal IReadOnlyList<BenchWork> Works => [.. times.Select(work => new BenchWork(work.Key, work.Value))];

    /// <summary>
    /// Does one round in a fresh store. Nothing is removed in between, because ext4 is slow for a while after a large removal.
    /// </summary>
    internal void RunRound(int number)
    {
        string round = Path.Combine(place, $"{number}");
        Directory.CreateDirectory(round);
        string store = Path.Combine(round, "objects"), r0 = Path.Combine(round, "r0"), changed = Path.Combine(round, "changed");
        _ = Run(store, "init", []);
        Time("first commit", store, "commit", ["-b", "main", tree]);
        Time("commit, nothing changed", store, "commit", ["-b", "main", tree]);
        AddSynced(BenchWork.Checkout, Run(store, "checkout", ["main", r0]), r0);
        _ = Run(store, "checkout", ["main", changed]);
        TimeBareCalls(store, Path.Combine(round, "bare"), changed);
        TimeCopy(r0, Path.Combine(round, "copy"));
        _ = Run(store, "commit", ["-b", "changed", changed]);
        Time("diff, 1 % changed", store, "diff", ["main", "changed"]);
        Time("gc, nothing to free", store, "gc", []);
        Time("fsck", store, "fsck", []);
        Time("advance, 1 % changed", store, "checkout", ["--from", r0, "changed", Path.Combine(round, "r1")]);
    }

    private void Time(string work, string store, string verb, string[] arguments) => Add(work, Run(store, verb, arguments));

    private TimeSpan Run(string store, string verb, string[] arguments)
    {
        int[] success = verb == "diff" ? [ExitCode.Done, ExitCode.Found] : [ExitCode.Done];
        return TimeOf([program, "--quiet", "--store", store, verb, .. arguments], success);
    }

    private TimeSpan TimeOf(IReadOnlyList<string> command, params IReadOnlyList<int> success)
    {
        ProgramRun run = ProgramRun.Of(command, stop: stop);
        return success.Contains(run.ExitCode)
            ? run.Time
            : throw new StoreException($"{string.Join(' ', command)}: exit code {run.ExitCode}: {run.LastWords}");
    }

    private void Add(string work, TimeSpan time)
    {
        if (!times.TryGetValue(work, out List<TimeSpan>? known))
        {
            times[work] = known = [];
        }

        known.Add(time);
    }

    private void TimeBareCalls(string path, string destination, string changed)
    {
        using ObjectStore store = ObjectStore.Open(path);
        Digest commit = Revision.Resolve(store, "main");
        using (var bare = new BareCheckout(store, commit))
        {
            store.Sync();
            Add(BenchWork.Floor, bare.Run(destination));
        }

        ReplaceFiles(store, store.Packs.ReadCommit(commit), changed);
        store.Sync();
    }

    private void TimeCopy(string from, string to)
    {
        if (ProgramRun.Find("cp") is { } copy)
        {
            AddSynced(BenchWork.Copy, TimeOf([copy, "-al", from, to], ExitCode.Done), to);
        }
    }

    /// <summary>
    /// Adds the time that made a directory and the time that syncs it. So a checkout, its floor and a copy can be compared with each other.
    /// </summary>
    private void AddSynced(string work, TimeSpan making, string made)
    {
        long started = System.Diagnostics.Stopwatch.GetTimestamp();
        using SafeFileHandle directory = OpenPath.Directory(made);
        Sys.SyncFilesystem(directory).ThrowIfFailed("syncfs", made);
        Add(work, making + System.Diagnostics.Stopwatch.GetElapsedTime(started));
    }

    /// <summary>Replaces every 100th file, and at least one, by a new file.</summary>
    private static void ReplaceFiles(ObjectStore store, Commit commit, string root)
    {
        using SafeFileHandle top = OpenPath.Directory(root);
        long number = 0;
        TreeWalk.Visit(store.Packs, commit.Tree, (PathBuffer path, in TreeEntry entry) =>
        {
            if (entry.Kind == EntryKind.Regular && number++ % ChangedOneOf == 0 && Sys.Unlink(top, path.Bytes) == Errno.None)
            {
                const OpenFlags CreateNew = OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive;
                Sys.Open(top, path.Bytes, CreateNew, out SafeFileHandle file, entry.Metadata.Mode | 0x80u).ThrowIfFailed("openat", root);
                using (file)
                {
                    Sys.Write(file, System.Text.Encoding.ASCII.GetBytes($"changed by hacktree bench: {number}\n")).ThrowIfFailed("write", root);
                }
            }

            return true;
        });
    }
}
