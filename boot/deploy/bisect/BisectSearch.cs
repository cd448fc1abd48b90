using System.Numerics;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>The search for the first bad commit in a history, of which the first commit is good and the last one bad.</summary>
public sealed class BisectSearch
{
    private readonly List<Digest> history;
    private readonly int good;
    private readonly int bad;

    /// <summary>Applies what tries have shown.</summary>
    /// <param name="history">The commits, oldest first.</param>
    /// <param name="verdicts">What tries of some of them have shown.</param>
    public BisectSearch(IEnumerable<Digest> history, IEnumerable<BisectVerdict> verdicts)
    {
        this.history = [.. history];
        bad = this.history.Count - 1;
        foreach (BisectVerdict verdict in verdicts)
        {
            int at = this.history.IndexOf(verdict.Commit);
            (good, bad) = at <= good || at >= bad ? (good, bad) : verdict.Fault is null ? (at, bad) : (good, at);
        }
    }

    /// <summary>The commit to try next: the one in the middle; none if the first bad one is known.</summary>
    public Digest Next => bad - good > 1 ? history[good + ((bad - good) / 2)] : default;

    /// <summary>The first bad commit; none if it is not known yet.</summary>
    public Digest FirstBad => Next.IsNone ? history[bad] : default;

    /// <summary>The commit before the first bad one; none if that is not known yet.</summary>
    public Digest LastGood => Next.IsNone ? history[good] : default;

    /// <summary>How many tries are left at most.</summary>
    public int TriesLeft => bad - good > 1 ? BitOperations.Log2((uint)(bad - good - 1)) + 1 : 0;

    /// <summary>
    /// The history from one commit to a later one, by first parents. Throws <see cref="StoreException"/> if the later one does not come from the other.
    /// </summary>
    public static IReadOnlyList<Digest> Between(ObjectStore store, Digest from, Digest to)
    {
        List<Digest> commits = [to];
        while (commits[^1] != from)
        {
            Commit commit = store.Packs.TryReadCommit(commits[^1], out Commit? read)
                ? read
                : throw new StoreException(
                    $"the history of {to} ends before it comes to {from}: {commits[^1]} is not in this store", new Remedy.LookIntoHistory());
            commits.Add(commit.Parents.IsEmpty
                ? throw new StoreException($"{to} does not come from {from}: the first parents of the bad commit must lead to the good one")
                : commit.Parents[0]);
        }

        commits.Reverse();
        return commits;
    }
}
