using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// A place that commits are pulled from. Each kind is one class: <see cref="RemoteSource"/>, <see cref="StoreSource"/> and <see cref="LinkSource"/>. Nothing
/// that comes from a source is trusted.
/// </summary>
public abstract class PullSource : IDisposable
{
    /// <summary>The place, for messages.</summary>
    public abstract string Subject { get; }

    /// <summary>The number of requests so far.</summary>
    public abstract long Requests { get; }

    /// <summary>The number of bytes of content that came so far.</summary>
    public abstract long Bytes { get; }

    /// <summary>The refs that are there, sorted.</summary>
    public abstract IReadOnlyList<string> Refs();

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);

    /// <summary>The commit that a ref names there; null if there is no such ref.</summary>
    internal abstract OfferedCommit? Find(ObjectStore store, string refName);

    /// <summary>A commit; null if it is not there.</summary>
    internal abstract OfferedCommit? Find(ObjectStore store, Digest commit);

    /// <summary>Whether a commit is there. Its text is asked for: a source may claim to have anything.</summary>
    internal bool Has(ObjectStore store, Digest commit)
    {
        using OfferedCommit? found = Find(store, commit);
        return found is not null && Digest.Of(found.ReadText()) == commit;
    }
}

/// <summary>A commit that a source has. Members are asked for in their order here, and nothing is fetched before it is asked for. Not thread-safe.</summary>
internal abstract class OfferedCommit : IDisposable
{
    /// <summary>Its digest.</summary>
    internal abstract Digest Digest { get; }

    /// <summary>Signatures of it that are there. Nobody checked them.</summary>
    internal abstract IReadOnlyList<SshSignature> Signatures { get; }

    /// <summary>The signed record of the ref that it was found by; null if there is none. Nobody checked it.</summary>
    internal abstract SignedRecord? Record { get; }

    /// <summary>The commit that a delta is used from; none for no delta, and before <see cref="Begin"/>.</summary>
    internal virtual Digest DeltaFrom => default;

    /// <summary>Whether it is this commit, as far as that can be told without a request.</summary>
    internal virtual bool IsCertainly(Digest commit) => Digest == commit;

    /// <summary>The commit's text, which has its digest. Nothing else is fetched for it. Throws <see cref="StoreException"/> if it is not there.</summary>
    internal abstract byte[] ReadText();

    /// <summary>The commit. Throws as <see cref="ReadText"/> does.</summary>
    internal virtual Commit ReadCommit() => Commit.TryDecode(ReadText(), out Commit? commit, out string? error)
        ? commit
        : throw new StoreException($"commit {Digest.ToShortString()}: {error}");

    /// <summary>
    /// Prepares to read trees, for a store whose ref names the commit <paramref name="before"/>. Returns the commit of the store that files are made from where
    /// possible.
    /// </summary>
    internal virtual Digest Begin(PullRequest request, Digest before) => before;

    /// <summary>Reads a tree of it. Throws <see cref="StoreException"/> if it is not there.</summary>
    internal abstract Tree ReadTree(Digest digest);

    /// <summary>What it costs to fetch blobs.</summary>
    internal abstract FetchCost CostOf(Dictionary<Digest, LackingBlob> lacking);

    /// <summary>Fetches blobs and makes their objects. Throws <see cref="StoreException"/> if one is not there.</summary>
    /// <param name="additions">What the objects are added by.</param>
    /// <param name="old">The blobs of the commit that <see cref="Begin"/> returned.</param>
    /// <param name="lacking">The blobs. They are taken out of it.</param>
    /// <param name="progress">Counts them.</param>
    internal abstract void Fetch(Additions additions, StoredContent old, Dictionary<Digest, LackingBlob> lacking, Progress? progress);

    /// <inheritdoc/>
    public virtual void Dispose()
    {
    }
}

/// <summary>What it costs to fetch something.</summary>
/// <param name="Requests">The number of requests.</param>
/// <param name="Bytes">The number of bytes.</param>
internal readonly record struct FetchCost(long Requests, long Bytes);
