using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>Pulls from a registry or an image layout. The remote is closed with this source.</summary>
public sealed class RemoteSource(Remote remote) : PullSource
{
    /// <inheritdoc/>
    public override string Subject => remote.Subject;

    /// <inheritdoc/>
    public override long Requests => remote.Requests;

    /// <inheritdoc/>
    public override long Bytes => remote.Bytes;

    /// <inheritdoc/>
    public override IReadOnlyList<string> Refs() => remote.Refs();

    /// <inheritdoc/>
    public override void Dispose()
    {
        remote.Dispose();
        base.Dispose();
    }

    /// <inheritdoc/>
    internal override OfferedCommit? Find(ObjectStore store, string refName) => FindTag(store, TagName.OfRef(refName));

    /// <inheritdoc/>
    internal override OfferedCommit? Find(ObjectStore store, Digest commit)
    {
        string tag = TagName.OfCommit(commit);
        OfferedCommit? found = FindTag(store, tag);
        return found is null || found.Digest == commit
            ? found
            : throw new StoreException($"{remote.Subject}: the tag {tag} names commit {found.Digest}");
    }

    private Offered? FindTag(ObjectStore store, string tag) =>
        remote.Find(tag) is { } target ? new Offered(store, remote, tag, target)
        : remote.Exists ? null
        : throw new StoreException($"{remote.Subject}: there is no such directory");

    private sealed class Offered(ObjectStore store, Remote remote, string tag, TagTarget target) : OfferedCommit
    {
        private OfferedDelta? offered;
        private DeltaFile? delta;
        private bool isDryRun;

        internal override Digest Digest => Manifest.Commit.Digest;

        internal override IReadOnlyList<SshSignature> Signatures => Manifest.Signatures;

        internal override SignedRecord? Record => Manifest.Record;

        private Manifest Manifest => field ??= remote.Decode(tag, target);

        private RemoteCommit Source => field ??= new RemoteCommit(store, remote, Manifest);

        internal override Digest DeltaFrom => delta?.Head.From ?? (isDryRun ? offered?.From ?? default : default);

        internal override bool IsCertainly(Digest commit) => target.Commit == commit;

        internal override byte[] ReadText() => remote.Read(Manifest.Commit, Commit.MaxLength);

        internal override Digest Begin(PullRequest request, Digest before)
        {
            isDryRun = request.DryRun;
            offered = request.UseDeltas ? FetchedDelta.Choose(store, Manifest) : null;
            delta = offered is null || isDryRun ? null : FetchedDelta.TryOpen(store, remote, Manifest, offered);
            return delta?.Head.From ?? before;
        }

        internal override Commit ReadCommit() => Source.ReadCommit();

        internal override Tree ReadTree(Digest digest) => Source.ReadTree(digest);

        internal override FetchCost CostOf(Dictionary<Digest, LackingBlob> lacking)
        {
            IReadOnlyList<BundleFetch> bundles = Source.Plan(lacking).Bundles();
            return offered is null
                ? new FetchCost(bundles.Sum(bundle => bundle.Requests), bundles.Sum(bundle => bundle.Bytes))
                : new FetchCost(1, offered.Descriptor.Size);
        }

        internal override void Fetch(Additions additions, StoredContent old, Dictionary<Digest, LackingBlob> lacking, Progress? progress)
        {
            if (delta is not null)
            {
                FetchedDelta.Add(delta, additions, old, lacking, progress);
            }

            new Fetch(additions, remote, progress).Run(Source.Plan(lacking).Bundles());
            lacking.Clear();
        }

        public override void Dispose()
        {
            delta?.Dispose();
            base.Dispose();
        }
    }
}
