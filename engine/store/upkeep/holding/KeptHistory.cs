using HackTree.Model;

namespace HackTree.Store;

/// <summary>Says how much of a ref's history gc keeps. A history is kept without holes: all from the newest commit to the oldest that is kept.</summary>
/// <param name="Depth">The number of generations of ancestors that each ref keeps; null for all, or with <paramref name="Since"/> for none.</param>
/// <param name="Since">Commits of this time (seconds since 1970) and later are kept, whatever the depth; null for no such rule.</param>
internal sealed record KeptHistory(int? Depth = null, long? Since = null)
{
    private IReadOnlyList<RefDepth> DepthsOf { get; init; } = [];

    internal static KeptHistory Of(CollectOptions options) => new(options.Depth, options.KeepSince) { DepthsOf = options.DepthsOf };

    /// <summary>The number of generations of ancestors that a ref keeps; <see cref="int.MaxValue"/> for all.</summary>
    internal int Generations(Packs packs, string refName, Digest commit)
    {
        int least = DepthsOf.LastOrDefault(each => each.Fits(refName))?.Depth ?? Depth ?? (Since is null ? int.MaxValue : 0);
        return Since is { } since && least < int.MaxValue ? Math.Max(least, OldestSince(packs, commit, since)) : least;
    }

    /// <summary>
    /// The generation of the furthest ancestor that is new enough. The whole history is looked at, because a clock that was set back, or a time
    /// that was given, may make a child older than its parent.
    /// </summary>
    private static int OldestSince(Packs packs, Digest commit, long since)
    {
        int oldest = 0;
        var seen = new HashSet<Digest> { commit };
        var waiting = new Queue<(Digest Commit, int Generation)>([(commit, 0)]);
        while (waiting.TryDequeue(out (Digest Commit, int Generation) next))
        {
            // A missing ancestor ends its line: histories may be cut.
            if (!packs.TryReadCommit(next.Commit, out Commit? read))
            {
                continue;
            }

            oldest = read.Time >= since ? next.Generation : oldest;
            foreach (Digest parent in read.Parents)
            {
                if (seen.Add(parent))
                {
                    waiting.Enqueue((parent, next.Generation + 1));
                }
            }
        }

        return oldest;
    }
}
