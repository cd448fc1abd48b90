using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>Pulls the ancestors of a commit: first parents and others, as far as the remote has them.</summary>
internal static class Ancestors
{
    /// <summary>Adds so many generations of ancestors. One that the remote does not have ends its line.</summary>
    internal static void Add(Additions additions, Remote remote, Commit commit, int depth, Progress? progress)
    {
        var waiting = new Queue<(Digest Commit, int Depth)>(commit.Parents.Select(parent => (parent, depth)));
        var seen = new HashSet<Digest>();
        while (waiting.TryDequeue(out (Digest Digest, int Depth) next))
        {
            if (next.Depth > 0 && seen.Add(next.Digest) && TryAdd(additions, remote, next.Digest, progress) is { } added)
            {
                foreach (Digest parent in added.Parents)
                {
                    waiting.Enqueue((parent, next.Depth - 1));
                }
            }
        }
    }

    private static Commit? TryAdd(Additions additions, Remote remote, Digest digest, Progress? progress)
    {
        if (additions.Store.Packs.TryReadCommit(digest, out Commit? own) && additions.Store.Packs.Contains(digest))
        {
            return own;
        }

        string tag = TagName.OfCommit(digest);
        if (remote.Find(tag) is not { } target)
        {
            return null;
        }

        Manifest manifest = remote.Decode(tag, target);
        var source = new RemoteCommit(additions.Store, remote, manifest);
        if (source.Digest != digest)
        {
            throw new StoreException($"{remote.Subject}: the tag {tag} names commit {source.Digest}");
        }

        Commit commit = source.ReadCommit();
        var lacking = new Lacking(additions);
        lacking.Add(source, commit);
        new Fetch(additions, remote, progress).Run(source.Plan(lacking.Blobs).Bundles());
        additions.Pack.Add(commit);
        CommitSignatures.Add(additions.Store, digest, manifest.Signatures);
        return commit;
    }
}
