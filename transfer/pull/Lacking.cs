using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// Goes through the trees of a commit that comes from elsewhere. Trees that the store lacks are added to it; of blobs it is noted which objects
/// the store lacks. Each tree is gone through once.
/// </summary>
internal sealed class Lacking(Additions additions)
{
    private readonly HashSet<Digest> trees = [];

    /// <summary>The blobs to fetch.</summary>
    internal Dictionary<Digest, LackingBlob> Blobs { get; } = [];

    /// <summary>
    /// Goes through a commit, whose trees <paramref name="readTree"/> finds. Throws <see cref="UnheldException"/> for an entry whose metadata the
    /// store's filesystem does not hold.
    /// </summary>
    internal void Add(Func<Digest, Tree> readTree, Commit commit)
    {
        RequireHeld(commit.RootEntry(), default);
        if (!AddTree(readTree, commit.Tree))
        {
            return;
        }

        ObjectStore store = additions.Store;
        TreeWalk.Visit(store.Packs, commit.Tree, (PathBuffer path, in TreeEntry entry) =>
        {
            store.Stop.ThrowIfCancellationRequested();
            if (entry.Kind == EntryKind.Regular)
            {
                AddFile(path, entry);
                return false;
            }

            RequireHeld(entry, path.Bytes);
            return entry.IsDirectory && AddTree(readTree, entry.Digest);
        });
    }

    private bool AddTree(Func<Digest, Tree> readTree, Digest digest)
    {
        if (!trees.Add(digest))
        {
            return false;
        }

        additions.AddTree(digest, readTree(digest));
        return true;
    }

    private void AddFile(PathBuffer path, in TreeEntry entry)
    {
        Blobs blobs = additions.Store.Blobs;
        if (blobs.Find(blobs.NameOf(entry), entry.Size, entry.Xattrs) == ObjectState.There)
        {
            return;
        }

        if (entry.Size == 0)
        {
            AddEmpty(path, entry);
            return;
        }

        if (!Blobs.TryGetValue(entry.Digest, out LackingBlob? blob))
        {
            blob = new LackingBlob(entry.Digest, entry.Size, path.Bytes.ToArray());
            Blobs.Add(entry.Digest, blob);
        }

        if (blob.Size != entry.Size)
        {
            throw new StoreException(
                $"{ByteText.Quote(path.Bytes)} and {ByteText.Quote(blob.Path)} have one digest and two lengths, so the commit is not valid");
        }

        foreach (LackingObject known in blob.Objects)
        {
            if (known.IsSame(entry))
            {
                return;
            }
        }

        blob.Objects.Add(new LackingObject(entry.Metadata, entry.Xattrs.ToArray()));
    }

    private void AddEmpty(PathBuffer path, in TreeEntry entry)
    {
        try
        {
            if (additions.AddBytes(default, entry.Metadata, entry.Xattrs, leaveHoles: false, entry.Digest) != entry.Digest)
            {
                throw new StoreException($"{ByteText.Quote(path.Bytes)} is empty and has the digest of something else, so the commit is not valid");
            }
        }
        catch (UnheldException e)
        {
            throw new UnheldException(ByteText.Quote(path.Bytes), e.Unheld, isCommit: false);
        }
    }

    private void RequireHeld(in TreeEntry entry, ReadOnlySpan<byte> path)
    {
        if (additions.Trials.Find(entry.Kind, entry.Metadata, entry.Xattrs) is { } unheld)
        {
            throw new UnheldException(path.IsEmpty ? "the root directory" : ByteText.Quote(path), unheld, isCommit: false);
        }
    }
}
