using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>Pulls the ancestors of a commit: first parents and others, as far as the source has them.</summary>
internal static class Ancestors
{
    /// <summary>Adds <see cref="PullRequest.Depth"/> generations of ancestors. One that the source does not have ends its line.</summary>
    internal static void Add(Additions additions, PullSource source, Commit commit, PullRequest request)
    {
        var waiting = new Queue<(Digest Commit, int Depth)>(commit.Parents.Select(parent => (parent, request.Depth)));
        var seen = new HashSet<Digest>();
        while (waiting.TryDequeue(out (Digest Digest, int Depth) next))
        {
            if (next.Depth > 0 && seen.Add(next.Digest) && TryAdd(additions, source, next.Digest, request) is { } added)
            {
                foreach (Digest parent in added.Parents)
                {
                    waiting.Enqueue((parent, next.Depth - 1));
                }
            }
        }
    }

    private static Commit? TryAdd(Additions additions, PullSource source, Digest digest, PullRequest request)
    {
        ObjectStore store = additions.Store;
        if (store.Packs.TryReadCommit(digest, out Commit? own) && store.Packs.Contains(digest))
        {
            return own;
        }

        using OfferedCommit? offered = source.Find(store, digest);
        if (offered is null)
        {
            return null;
        }

        // No delta: it would be one that leads to this commit, and most is there of its child.
        Digest from = offered.Begin(request with { UseDeltas = false }, store.Refs.Find(request.To));
        Commit commit = offered.ReadCommit();
        var lacking = new Lacking(additions);
        lacking.Add(offered.ReadTree, commit);
        offered.Fetch(additions, new StoredContent(store, from), lacking.Blobs, request.Progress);
        additions.Pack.Add(commit);
        CommitSignatures.Add(store, digest, offered.Signatures);
        return commit;
    }
}
