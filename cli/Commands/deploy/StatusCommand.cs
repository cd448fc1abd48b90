using System.CommandLine;
using HackTree.Boot;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class StatusCommand : Verb
{
    private readonly Option<bool> json;

    internal StatusCommand()
        : base("status", "Tell which roots boot: the default, the one on trial, and those that failed.", "hacktree status") => json = AddJson();

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        var roots = new BootableRoots(store);
        var choice = BootChoice.Read(roots.Physical);
        string? running = roots.FindRunning();
        var faults = new TrialFaults(roots.Physical);
        List<RootStatus> states = [.. roots.Names().Select(name => new RootStatus(name, roots.RecordOf(name), name == running, choice, faults.Find(name)))];
        if (session.Get(json))
        {
            WriteJson(states);
        }
        else
        {
            Print(states);
        }

        return ExitCode.Done;
    }

    private static void Print(List<RootStatus> states)
    {
        var listing = new Listing("ROOT", "STATE", "COMMIT", new("MADE (UTC)") { Rank = 2 }, new("REVISION") { Rank = 1 }, new("WHY") { Rank = 3 });
        foreach (RootStatus state in states)
        {
            string commit = "", made = "", revision = "";
            if (state.Record is { } record)
            {
                (commit, made, revision) = (CommitText.Short(record.Commit), HumanText.ShortDate(record.Time), CommitText.Line(record.Revision));
            }

            listing.Add(CommitText.Line(state.Name), state.Words, commit, made, revision, CommitText.Line(state.Why ?? ""));
        }

        listing.Print();
    }

    private static void WriteJson(List<RootStatus> states) => JsonText.Write(writer =>
    {
        writer.WriteStartArray();
        foreach (RootStatus state in states)
        {
            writer.WriteStartObject();
            writer.WriteString("name", state.Name);
            if (state.Record is { } record)
            {
                writer.WriteDigest("commit", record.Commit);
                writer.WriteString("revision", record.Revision);
                writer.WriteNumber("time", record.Time);
            }

            writer.WriteBoolean("running", state.IsRunning);
            writer.WriteBoolean("default", state.IsDefault);
            writer.WriteBoolean("rollback", state.IsRollback);
            writer.WriteBoolean("pinned", state.IsPinned);
            writer.WriteNumber("triesLeft", state.TriesLeft);
            writer.WriteBoolean("failed", state.IsFailed);
            writer.WriteString("why", state.Why);
            writer.EndItem();
        }

        writer.WriteEndArray();
    });

    /// <summary>What a root is to the boot loader.</summary>
    private sealed record RootStatus(string Name, RootRecord? Record, bool IsRunning, BootChoice Choice, string? Fault)
    {
        internal bool IsDefault => Name == Choice.Default;

        internal bool IsRollback => Name == Choice.Previous && !IsDefault;

        internal bool IsPinned => Record?.State == RootState.Pinned;

        internal int TriesLeft => Name == Choice.Trial ? Choice.TriesLeft : 0;

        /// <summary>Whether its tries are used up. The last try may be running.</summary>
        internal bool IsFailed => Fault is not null || (Name == Choice.Trial && TriesLeft == 0 && !IsRunning);

        internal string? Why => Fault ?? (IsFailed ? "it did not start far enough to say that it is good" : null);

        internal string Words => string.Join(", ", Parts().DefaultIfEmpty("spare"));

        private IEnumerable<string> Parts()
        {
            if (IsRunning)
            {
                yield return "running";
            }

            if (IsDefault)
            {
                yield return "default";
            }

            if (Name == Choice.Trial && !IsFailed)
            {
                yield return $"trial, {HumanText.Count(TriesLeft, "try", "tries")} left";
            }

            if (IsFailed)
            {
                yield return "failed";
            }

            if (IsRollback)
            {
                yield return "rollback";
            }

            if (IsPinned)
            {
                yield return "pinned";
            }
        }
    }
}
