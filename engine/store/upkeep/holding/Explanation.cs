using HackTree.Model;

namespace HackTree.Store;

/// <summary>A ref or root that holds a thing, and how.</summary>
/// <param name="Holder">The ref or root.</param>
/// <param name="Commit">The commit, of its own commit and the ancestors that it keeps, that needs the thing with the fewest generations between.</param>
/// <param name="Generations">How many generations that commit is before the holder's own; 0 for its own.</param>
/// <param name="Commits">How many of those commits need the thing.</param>
/// <param name="PathCount">How many paths of <paramref name="Commit"/> are the thing; 1 for a commit.</param>
/// <param name="Paths">The first of them, as bytes; empty for the top of the tree, and for a commit.</param>
public sealed record Holding(Holder Holder, Digest Commit, int Generations, long Commits, long PathCount, IReadOnlyList<ReadOnlyMemory<byte>> Paths);

/// <summary>gc --explain: who holds a thing, as gc counts it.</summary>
public sealed class Explanation
{
    /// <summary>How many paths of a holder are told.</summary>
    public const int MostPaths = 3;

    private readonly ObjectStore store;
    private readonly HeldThing thing;

    // How many paths below a tree lead to the thing.
    private readonly Dictionary<Digest, long> counts = [];
    private readonly List<Holding> holdings = [];

    private Explanation(ObjectStore store, HeldThing thing) => (this.store, this.thing) = (store, thing);

    /// <summary>
    /// Finds all that hold a thing, refs before roots. If nothing does, gc with these options would remove the thing. Throws
    /// <see cref="CorruptException"/> if a commit or tree that something needs cannot be read.
    /// </summary>
    public static IReadOnlyList<Holding> Find(ObjectStore store, HeldThing thing, CollectOptions options)
    {
        var explanation = new Explanation(store, thing);
        var holders = new Holders(store, KeptHistory.Of(options), options.WithoutRoots);
        holders.Look(_ => { });
        foreach (Held held in holders.All.Concat(holders.InFixedPacks().Select(found => found.Held)))
        {
            explanation.Look(held);
        }

        return explanation.holdings;
    }

    private void Look(Held held)
    {
        (Digest nearest, int distance, long commits) = (default, 0, 0);
        var seen = new HashSet<Digest> { held.Commit };
        var waiting = new Queue<(Digest Commit, int Distance)>();
        waiting.Enqueue((held.Commit, 0));
        while (waiting.TryDequeue(out (Digest Commit, int Distance) next))
        {
            // A missing ancestor ends its line: histories may be cut.
            Commit? commit = next.Distance == 0 ? store.Packs.ReadCommit(next.Commit)
                : store.Packs.TryReadCommit(next.Commit, out Commit? found) ? found : null;
            if (commit is null)
            {
                continue;
            }

            if (Count(next.Commit, commit) > 0)
            {
                (nearest, distance) = commits++ == 0 ? (next.Commit, next.Distance) : (nearest, distance);
            }

            foreach (Digest parent in next.Distance < held.Generations ? commit.Parents : [])
            {
                if (seen.Add(parent))
                {
                    waiting.Enqueue((parent, next.Distance + 1));
                }
            }
        }

        if (commits > 0)
        {
            Commit needing = store.Packs.ReadCommit(nearest);
            holdings.Add(new Holding(held.Holder, nearest, distance, commits, Count(nearest, needing), FirstPaths(needing)));
        }
    }

    private long Count(Digest digest, Commit commit) => thing switch
    {
        HeldThing.OfCommit wanted => wanted.Digest == digest ? 1 : 0,
        _ => IsTop(commit) ? 1 : CountBelow(commit.Tree),
    };

    private bool IsTop(Commit commit) => thing is HeldThing.OfTree wanted && wanted.Digest == commit.Tree;

    /// <summary>Counts the paths below a tree. Each distinct tree is read once, for all holders together.</summary>
    private long CountBelow(Digest root)
    {
        if (counts.TryGetValue(root, out long known))
        {
            return known;
        }

        var above = new Stack<(Digest Tree, TreeCursor Cursor, long Count)>();
        (Digest tree, TreeCursor cursor, long count) = (root, new TreeCursor(store.Packs.ReadTree(root)), 0L);
        while (true)
        {
            store.Stop.ThrowIfCancellationRequested();
            if (!cursor.Next(out TreeEntry entry))
            {
                counts[tree] = count;
                if (!above.TryPop(out (Digest Tree, TreeCursor Cursor, long Count) outer))
                {
                    return count;
                }

                (tree, cursor, count) = (outer.Tree, outer.Cursor, Sum(outer.Count, count));
            }
            else if (thing.Is(store, entry))
            {
                count = Sum(count, 1);
            }
            else if (entry.IsDirectory && counts.TryGetValue(entry.Digest, out long below))
            {
                count = Sum(count, below);
            }
            else if (entry.IsDirectory)
            {
                above.Push((tree, cursor, count));
                (tree, cursor, count) = (entry.Digest, new TreeCursor(store.Packs.ReadTree(entry.Digest)), 0);
            }
        }
    }

    /// <summary>Adds counts. Trees that share trees can have more paths than a number can hold.</summary>
    private static long Sum(long left, long right) => left > long.MaxValue - right ? long.MaxValue : left + right;

    private List<ReadOnlyMemory<byte>> FirstPaths(Commit commit)
    {
        var paths = new List<ReadOnlyMemory<byte>>();
        if (thing is HeldThing.OfCommit || IsTop(commit))
        {
            paths.Add(Array.Empty<byte>());
            return paths;
        }

        // Only trees that lead to the thing are walked, so each directory on the way has a path to tell.
        TreeWalk.Visit(store.Packs, commit.Tree, (path, in entry) =>
        {
            if (paths.Count < MostPaths && thing.Is(store, entry))
            {
                paths.Add(path.Bytes.ToArray());
                return false;
            }

            return paths.Count < MostPaths && entry.IsDirectory && counts.GetValueOrDefault(entry.Digest) > 0;
        });
        return paths;
    }
}
