using System.CommandLine;
using HackTree.Boot;
using HackTree.Checkout;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class StatusCommand : Verb
{
    private readonly Option<bool> disk = new("--disk")
    {
        Description = "Also show the disk space that each root alone holds. Looks at every file of the roots.",
    };

    private readonly Option<bool> json;

    internal StatusCommand()
        : base("status", "Tell which roots boot: the default, the one on trial, and those that failed.", "hacktree status", "hacktree status --disk")
    {
        Add(disk);
        json = AddJson();
        Details = "DISK is what would be free without the root: its directories, its own files (private copies, /etc, what was written after the checkout), "
            + "and the objects that no ref and no other root holds.";
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        var roots = new BootableRoots(store);
        List<RootStatus> states = RootStatus.All(roots, BootChoice.Read(roots.Physical));
        Func<RootStatus, RootDisk?> measure = session.Get(disk) ? MeasureIn(store, roots) : _ => null;
        if (session.Get(json))
        {
            WriteJson(states, measure);
        }
        else
        {
            Print(states, measure, session.Get(disk));
        }

        return ExitCode.Done;
    }

    /// <summary>Measures the disk space that a root alone holds.</summary>
    private static Func<RootStatus, RootDisk?> MeasureIn(ObjectStore store, BootableRoots roots)
    {
        var sole = SoleHolders.Find(store);
        return state => new RootDisk(
            OwnDisk.Measure(roots.PathOf(state.Name), Session.Stop),
            state.Record is { } record ? sole.BytesFreedWithout(Holder.OfRoot(store.Roots.NameFor(store.Roots.AbsolutePath(record)))) : 0);
    }

    private static void Print(List<RootStatus> states, Func<RootStatus, RootDisk?> measure, bool hasDisk)
    {
        Column[] size = hasDisk ? [new("DISK") { IsNumber = true }] : [];
        var listing = new Listing(["ROOT", "STATE", "COMMIT", .. size, new("MADE (UTC)") { Rank = 2 }, new("REVISION") { Rank = 1 }, new("WHY") { Rank = 3 }]);
        foreach (RootStatus state in states)
        {
            string commit = "", made = "", revision = "";
            if (state.Record is { } record)
            {
                (commit, made, revision) = (CommitText.Short(record.Commit), HumanText.ShortDate(record.Time), CommitText.Line(record.Revision));
            }

            string[] alone = measure(state) is { } found ? [HumanText.Bytes(found.OwnBytes + found.FreedBytes)] : [];
            listing.Add([CommitText.Line(state.Name), state.Words, commit, .. alone, made, revision, CommitText.Line(state.Why ?? "")]);
        }

        listing.Print();
    }

    private static void WriteJson(List<RootStatus> states, Func<RootStatus, RootDisk?> measure) => JsonText.Write(writer =>
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
            writer.WriteBoolean("staged", state.IsStaged);
            writer.WriteBoolean("failed", state.IsFailed);
            writer.WriteString("why", state.Why);
            if (measure(state) is { } alone)
            {
                writer.WriteNumber("ownBytes", alone.OwnBytes);
                writer.WriteNumber("freedBytes", alone.FreedBytes);
            }

            writer.EndItem();
        }

        writer.WriteEndArray();
    });

    /// <summary>The space that a root alone holds.</summary>
    /// <param name="OwnBytes">What goes with it.</param>
    /// <param name="FreedBytes">What gc would free then.</param>
    private readonly record struct RootDisk(long OwnBytes, long FreedBytes);
}
