using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// Which layers the image of a commit has: the whole tree of an earlier commit of its history, and over it the differences from one commit to the next.
/// It depends on the commit and its history alone, so the image of a commit is always the same, and that of its child has most of its layers again.
/// </summary>
/// <remarks>
/// Of the last 32 commits of the history (first parents), a layer ends at each that goes before all later ones, and at the commit itself. The first
/// commit of a history goes before all; of two others, the one with the smaller id. So what a layer ends at stays for the images of later commits until
/// one comes that goes before it, there are some 5 layers, and no order of a publisher is needed. A history that is longer, or was cut, begins with
/// another commit, and its lowest layer is sent once more.
/// </remarks>
internal static class LayerPlan
{
    private const int MostCommits = 32;

    // So much of hidden files costs nobody much.
    private const long AlwaysAllowed = 8 * 1024 * 1024;

    /// <summary>What is below a layer, none for the lowest, and the commit that it ends at.</summary>
    internal sealed record Cut(Digest Below, Digest Commit, LayerSize Size);

    /// <summary>The layers of a commit's image, the lowest first.</summary>
    internal static IReadOnlyList<Cut> Of(ObjectStore store, Digest commit)
    {
        List<(Digest Commit, bool IsFirst)> history = HistoryOf(store, commit);
        var ends = new List<(Digest Commit, bool IsFirst)>();
        foreach ((Digest Commit, bool IsFirst) next in Enumerable.Reverse(history))
        {
            // Those that the next commit goes before, for all images that have it.
            while (ends.Count > 0 && !ends[^1].IsFirst && next.Commit.CompareTo(ends[^1].Commit) < 0)
            {
                ends.RemoveAt(ends.Count - 1);
            }

            ends.Add(next);
        }

        Digest below = default;
        var cuts = new List<Cut>();
        foreach ((Digest end, _) in ends)
        {
            cuts.Add(new Cut(below, end, LayerWriter.Measure(store, below, end)));
            below = end;
        }

        // Where most of what the layers have is hidden by others, one layer is shorter.
        LayerSize whole = LayerWriter.Measure(store, default, commit);
        bool isWorth = cuts.All(cut => cut.Size.IsPossible) && cuts.Sum(cut => cut.Size.ContentBytes) <= AlwaysAllowed + 2 * whole.ContentBytes;
        return cuts.Count == 1 || isWorth ? cuts : [new Cut(default, commit, whole)];
    }

    /// <summary>The commit and its first parents, the newest first, and whether each is the first of all.</summary>
    private static List<(Digest Commit, bool IsFirst)> HistoryOf(ObjectStore store, Digest commit)
    {
        var history = new List<(Digest, bool)>();
        Digest next = commit;
        while (history.Count < MostCommits && !next.IsNone && store.Packs.TryReadCommit(next, out Commit? read))
        {
            history.Add((next, read.Parents.IsEmpty));
            next = read.Parents.IsEmpty ? default : read.Parents[0];
        }

        return history;
    }
}
