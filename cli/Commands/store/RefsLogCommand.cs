using System.CommandLine;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class RefsLogCommand : Verb
{
    private readonly Argument<string> name;
    private readonly Option<bool> json;

    internal RefsLogCommand()
        : base("log", "List the changes of a ref, the last one first: time, commit, reason.", "hacktree refs log debian/bookworm")
    {
        Details = "A deleted ref still has its log. A commit in the log may be gone: gc removes commits that nothing needs.";
        name = AddRevision("REF", "The ref.");
        json = AddJson();
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        string text = session.Get(name);
        using ObjectStore store = session.OpenStore();
        text = store.Refs.Follow(text).Name;
        IReadOnlyList<string> lines = store.Refs.Log(text);
        if (lines.Count == 0)
        {
            throw new StoreException($"there is no log of '{text}'; `hacktree refs` lists the refs");
        }

        var changes = new List<RefChange>();
        foreach (string line in lines.Reverse())
        {
            if (RefChange.TryParse(line) is { } change)
            {
                changes.Add(change);
            }
            else
            {
                session.Note($"a line of the log of '{text}' is incomplete: {CommitText.Line(line)}");
            }
        }

        if (session.Get(json))
        {
            Write(changes);
            return ExitCode.Done;
        }

        var listing = new Listing("TIME (UTC)", "COMMIT", new("WHY") { Rank = 1 });
        foreach (RefChange change in changes)
        {
            listing.Add(HumanText.ShortDate(change.Time), change.After.IsNone ? "none" : CommitText.Short(change.After), CommitText.Line(change.Why));
        }

        listing.Print();
        return ExitCode.Done;
    }

    private static void Write(List<RefChange> changes) => JsonText.Write(writer =>
    {
        writer.WriteStartArray();
        foreach (RefChange change in changes)
        {
            writer.WriteStartObject();
            writer.WriteDigest("before", change.Before);
            writer.WriteDigest("after", change.After);
            writer.WriteNumber("time", change.Time);
            writer.WriteString("why", change.Why);
            writer.EndItem();
        }

        writer.WriteEndArray();
    });
}
