using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>What a commit is made of, as far as a push is concerned.</summary>
/// <param name="Digest">The commit's digest.</param>
/// <param name="Commit">The commit.</param>
/// <param name="Trees">Its trees, each once, in the order of a walk.</param>
/// <param name="Blobs">Its blobs, likewise. Empty ones are left out.</param>
internal sealed record SentContent(Digest Digest, Commit Commit, IReadOnlyCollection<Digest> Trees, IReadOnlyList<SentBlob> Blobs)
{
    /// <summary>Finds it out by a walk.</summary>
    internal static SentContent Of(ObjectStore store, Digest digest)
    {
        Commit commit = store.Packs.ReadCommit(digest);
        var blobs = new List<SentBlob>();
        HashSet<Digest> seen = [], trees = [commit.Tree];
        TreeWalk.Visit(store.Packs, commit.Tree, (PathBuffer path, in TreeEntry entry) =>
        {
            store.Stop.ThrowIfCancellationRequested();
            if (entry.Kind == EntryKind.Regular && entry.Size > 0 && seen.Add(entry.Digest))
            {
                blobs.Add(new SentBlob(entry.Digest, entry.Size, entry.Metadata, entry.Xattrs.ToArray(), path.Bytes.ToArray()));
            }

            return entry.IsDirectory && trees.Add(entry.Digest);
        });
        return new SentContent(digest, commit, trees, blobs);
    }

    /// <summary>The trees that another commit does not have.</summary>
    internal IEnumerable<Digest> TreesWithout(SentContent? other) => other is null ? Trees : Trees.Except(other.Trees);
}
