using System.CommandLine;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class LogCommand : Verb
{
    private readonly Argument<string?> revision = new("COMMIT") { Description = "Where to start; else at every ref, newest first.", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<int?> limit;
    private readonly Option<bool> json;

    internal LogCommand()
        : base("log", "List a commit and its ancestors, each commit's first parent next.", "hacktree log debian/bookworm", "hacktree log -n 5 --json")
    {
        revision.CompletionSources.Add(context => Completions.IsGiven(context, revision) ? [] : Completions.Refs(context));
        Add(revision);
        limit = AddNumber("How many commits at most.", "-n", "--max-count");
        json = AddJson();
    }

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
                    CommitText.Write(writer, digest, commit);
                }

                writer.WriteEndArray();
            });
            return ExitCode.Done;
        }

        foreach ((Digest digest, Commit commit) in history)
        {
            string refs = names.TryGetValue(digest, out string? name) ? $"({name}) " : "";
            Session.Output.WriteLine($"{CommitText.Short(digest)}  {HumanText.ShortDate(commit.Time)}  {refs}{CommitText.Line(commit.Subject)}".TrimEnd());
        }

        return ExitCode.Done;
    }

    /// <summary>The newest of what is known next, so that a parent never comes before its child, but for clocks that went back.</summary>
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

            // gc --depth cuts histories: a parent that is not there is where this one ends.
            Digest parent = next.Commit.Parents.IsEmpty ? default : next.Commit.Parents[0];
            if (!parent.IsNone && known.Add(parent) && store.Packs.TryReadCommit(parent, out Commit? read))
            {
                waiting.Enqueue((parent, read), (-read.Time, parent));
            }
        }
    }
}
