using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>Pulls from another store on this machine. Its files are copied, or cloned where the filesystem does that.</summary>
/// <param name="from">The store. Closing this source does not close it, because who pushes goes on with it.</param>
internal class StoreSource(ObjectStore from) : PullSource
{
    private bool isAttached;

    /// <inheritdoc/>
    public override string Subject => from.Path;

    /// <inheritdoc/>
    public override long Requests => 0;

    /// <inheritdoc/>
    public override long Bytes => 0;

    /// <summary>Opens the store. Throws <see cref="StoreException"/> if it is none, or the one that pulls.</summary>
    internal static PullSource Open(ObjectStore into, string path)
    {
        ObjectStore from = into.OpenOther(path, toWrite: false);
        try
        {
            from.RequireReadable();
            return new Owner(from);
        }
        catch
        {
            from.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyList<string> Refs() => from.Refs.Names();

    /// <inheritdoc/>
    internal override OfferedCommit? Find(ObjectStore store, string refName) =>
        from.Refs.Find(refName) is { IsNone: false } commit ? new Offered(() => Attach(store), from, commit, SignedRecord.Find(from, refName)) : null;

    /// <inheritdoc/>
    internal override OfferedCommit? Find(ObjectStore store, Digest commit) =>
        from.Packs.TryReadCommit(commit, out _) ? new Offered(() => Attach(store), from, commit, record: null) : null;

    /// <summary>Lets the store that pulls read this one's trees. Once for all commits: each pack is an open file.</summary>
    private void Attach(ObjectStore store)
    {
        if (!isAttached)
        {
            store.Packs.AttachAll(from);
            isAttached = true;
        }
    }

    private sealed class Owner(ObjectStore from) : StoreSource(from)
    {
        private readonly ObjectStore owned = from;

        public override void Dispose()
        {
            owned.Dispose();
            base.Dispose();
        }
    }

    private sealed class Offered(Action attach, ObjectStore from, Digest digest, SignedRecord? record) : OfferedCommit
    {
        internal override Digest Digest => digest;

        internal override IReadOnlyList<SshSignature> Signatures => CommitSignatures.Find(from, digest);

        internal override SignedRecord? Record => record;

        internal override byte[] ReadText() => from.Packs.ReadCommit(digest).Encode();

        internal override Digest Begin(PullRequest request, Digest before)
        {
            attach();
            return before;
        }

        internal override Tree ReadTree(Digest tree) => from.Packs.ReadTree(tree);

        internal override FetchCost CostOf(Dictionary<Digest, LackingBlob> lacking) => new(0, lacking.Values.Sum(blob => blob.Size));

        internal override void Fetch(Additions additions, StoredContent old, Dictionary<Digest, LackingBlob> lacking, Progress? progress)
        {
            if (lacking.Count > 0)
            {
                new StoredContent(from, digest).Add(additions, lacking, progress);
            }

            if (lacking.Values.FirstOrDefault() is { } missing)
            {
                string path = ByteText.Quote(missing.Path);
                throw new StoreException($"{from.Path}: {path} of commit {digest.ToShortString()} is damaged or missing there; `hacktree fsck` tells more");
            }
        }
    }
}
