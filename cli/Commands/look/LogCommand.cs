using System.CommandLine;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class LogCommand : Verb
{
    private readonly Argument<string?> revision = new("COMMIT")
    {
        Description = "The commit to start at. Default: every ref.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<int?> limit;
    private readonly Option<bool> json;

    internal LogCommand()
        : base(
            "log",
            "List a commit and its ancestors along first parents, newest first.",
            "hacktree log debian/bookworm",
            "hacktree log -n 5 --json")
    {
        revision.CompletionSources.Add(context => Completions.IsGiven(context, revision) ? [] : Completions.Refs(context));
        Add(revision);
        limit = AddNumber("The number of commits to list, at most.", "-n", "--max-count");
        json = AddJson();
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        IReadOnlyDictionary<Digest, string> names = CommitText.RefsByCommit(store);
        IEnumerable<Digest> starts = session.Get(revision) is { } start ? [Revision.Resolve(store, start)] : names.Keys;
        IEnumerable<(Digest, Commit)> history = Walk(store, starts).Take(session.Get(limit) ?? int.MaxValue);
        if (session.Get(json))
        {
            JsonText.Write(writer =>
            {
                writer.WriteStartArray();
                foreach ((Digest digest, Commit commit) in history)
                {
                    CommitText.Write(writer, store, digest, commit);
                }

                writer.WriteEndArray();
            });
            return ExitCode.Done;
        }

        foreach ((Digest digest, Commit commit) in history)
        {
            string refs = names.TryGetValue(digest, out string? name) ? $"({name}) " : "";
            string line = $"{CommitText.Short(digest)}  {HumanText.ShortDate(commit.Time)}  {refs}{CommitText.Line(commit.Subject)}";
            Session.Output.WriteLine(line.TrimEnd());
        }

        return ExitCode.Done;
    }

    /// <summary>Walks from the newest commit to older ones. A parent comes after its child, unless a clock was set back.</summary>
    private static IEnumerable<(Digest, Commit)> Walk(ObjectStore store, IEnumerable<Digest> starts)
    {
        var waiting = new PriorityQueue<(Digest Digest, Commit Commit), (long, Digest)>();
        var known = new HashSet<Digest>();
        foreach (Digest start in starts)
        {
            if (known.Add(start))
            {
                Commit commit = store.Packs.ReadCommit(start);
                waiting.Enqueue((start, commit), (-commit.Time, start));
            }
        }

        while (waiting.TryDequeue(out (Digest Digest, Commit Commit) next, out _))
        {
            yield return next;

            // gc --depth cuts a history, so a missing parent is its end.
            Digest parent = next.Commit.Parents.IsEmpty ? default : next.Commit.Parents[0];
            if (!parent.IsNone && known.Add(parent) && store.Packs.TryReadCommit(parent, out Commit? read))
            {
                waiting.Enqueue((parent, read), (-read.Time, parent));
            }
        }
    }
}
