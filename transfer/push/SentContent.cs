using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>What a commit is made of, as far as a push is concerned.</summary>
/// <param name="Base">The commit whose trees the remote has; none for no commit.</param>
/// <param name="Trees">The trees of the commit that the base does not have.</param>
/// <param name="Blobs">All blobs of the commit, each once, in the order of a walk.</param>
internal sealed record SentContent(Digest Base, IReadOnlyList<Digest> Trees, IReadOnlyList<SentBlob> Blobs)
{
    /// <summary>Finds it out.</summary>
    internal static SentContent Of(ObjectStore store, Commit commit, Digest known)
    {
        HashSet<Digest> there = known.IsNone ? [] : TreesOf(store, store.Packs.ReadCommit(known), null);
        var blobs = new List<SentBlob>();
        var seen = new HashSet<Digest>();
        HashSet<Digest> trees = TreesOf(store, commit, (PathBuffer path, in TreeEntry entry) =>
        {
            if (entry.Kind == EntryKind.Regular && entry.Size > 0 && seen.Add(entry.Digest))
            {
                blobs.Add(new SentBlob(entry.Digest, entry.Size, entry.Metadata, entry.Xattrs.ToArray(), path.Bytes.ToArray()));
            }

            return true;
        });
        return new SentContent(known, [.. trees.Where(tree => !there.Contains(tree))], blobs);
    }

    /// <summary>The trees of a commit, in the order of a walk. Each is gone through once.</summary>
    private static HashSet<Digest> TreesOf(ObjectStore store, Commit commit, TreeVisitor? visitor)
    {
        HashSet<Digest> trees = [commit.Tree];
        TreeWalk.Visit(store.Packs, commit.Tree, (PathBuffer path, in TreeEntry entry) =>
        {
            store.Stop.ThrowIfCancellationRequested();
            _ = visitor?.Invoke(path, entry);
            return entry.IsDirectory && trees.Add(entry.Digest);
        });
        return trees;
    }
}
