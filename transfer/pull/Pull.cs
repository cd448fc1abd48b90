using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>What to pull, and how.</summary>
/// <param name="From">The ref there.</param>
/// <param name="To">The ref to set.</param>
public sealed record PullRequest(string From, string To)
{
    /// <summary>The number of generations of ancestors to pull too, as far as they are there.</summary>
    public int Depth { get; init; }

    /// <summary>Whether the ref may go to an older commit.</summary>
    public bool AllowDowngrade { get; init; }

    /// <summary>
    /// Whether the ref may lose a commit that was made here and is not there, and go to an older one. An older signed record is refused all the same.
    /// </summary>
    public bool Force { get; init; }

    /// <summary>The keys of which one must have signed the commit; null if none need have.</summary>
    public TrustedKeys? Trusted { get; init; }

    /// <summary>Whether to use deltas where there are some.</summary>
    public bool UseDeltas { get; init; } = true;

    /// <summary>Whether only to say what would be fetched.</summary>
    public bool DryRun { get; init; }

    /// <summary>Counts the blobs.</summary>
    public Progress? Progress { get; init; }

    /// <summary>For a push: the commit that the ref named when it was asked whether the new one is a descendant. Null for a pull.</summary>
    internal Digest? Replaces { get; private init; }

    /// <summary>
    /// What a store pulls that is pushed to. Who pushes has asked whether the commit is a descendant, and may want one that is none. Signatures are taken too
    /// of a commit that the ref names already.
    /// </summary>
    internal static PullRequest OfPush(string refName, Digest before) => new(refName, refName) { Force = true, Replaces = before };
}

/// <summary>What a pull did.</summary>
/// <param name="Ref">The ref that was set.</param>
/// <param name="Commit">The commit.</param>
/// <param name="Before">The commit that the ref named before; none if there was no such ref.</param>
public sealed record PullResult(string Ref, Digest Commit, Digest Before)
{
    /// <summary>The blobs that were fetched.</summary>
    public int Blobs { get; init; }

    /// <summary>Their bytes after decompression.</summary>
    public long RawBytes { get; init; }

    /// <summary>The commit that a delta was used from; none for no delta.</summary>
    public Digest DeltaFrom { get; init; }

    /// <summary>With <see cref="PullRequest.DryRun"/>: the requests that were not made.</summary>
    public long RequestsLeft { get; init; }

    /// <summary>With <see cref="PullRequest.DryRun"/>: the bytes that were not fetched.</summary>
    public long BytesLeft { get; init; }

    /// <summary>Whether the ref names a descendant of the source's commit that was made here. It is <see cref="Commit"/>, and stays.</summary>
    public bool IsAhead { get; init; }

    /// <summary>Whether the ref named the commit already.</summary>
    public bool IsCurrent => Commit == Before;
}

/// <summary>
/// Brings a commit from elsewhere (transfer/FORMAT.md, section 6). What the store lacks is fetched and nothing else. The ref is set last, so a pull that ends
/// early has changed no ref; what it had fetched, the next pull need not fetch.
/// </summary>
public static class Pull
{
    /// <summary>
    /// Pulls a ref. Throws <see cref="StoreException"/> if the source has no such ref, if its commit is older than the ref's own or not
    /// signed as it must be, or if something there is not what it should be.
    /// </summary>
    public static PullResult Run(ObjectStore store, PullSource source, PullRequest request)
    {
        using OfferedCommit offered = source.Find(store, request.From) ?? throw new StoreException($"{source.Subject} has no ref '{request.From}'");
        Digest before = store.Refs.Find(request.To);
        if (request.Replaces is { } replaced && replaced != before)
        {
            throw new StoreException($"{store.Path}: {request.To} was set to another commit meanwhile; push again");
        }

        bool needsNothing = request.Depth == 0 && !before.IsNone && store.Packs.TryReadCommit(before, out _);
        SignedRecord? known = request.Trusted is null ? null : SignedRecord.Find(store, request.To);
        if (needsNothing && request.Replaces is null && offered.IsCertainly(before) && known is null
            && PulledSignatures.SufficeHere(store, before, request.Trusted))
        {
            return new PullResult(request.To, before, before);
        }

        Digest digest = offered.Digest;
        IReadOnlyList<SshSignature> signatures = PulledSignatures.Check(store, source.Subject, offered, request.Trusted);
        SignedRecord? record = CheckRecord(source.Subject, request, offered, known);
        if (needsNothing && digest == before)
        {
            if (!request.DryRun)
            {
                CommitSignatures.Add(store, digest, signatures);
                Keep(store, request.To, record);
            }

            return new PullResult(request.To, before, before);
        }

        if (IsAhead(store, request, before, digest))
        {
            return new PullResult(request.To, before, before) { IsAhead = true };
        }

        PullResult result = Take(store, source, request, offered, before, signatures);
        if (!request.DryRun)
        {
            Keep(store, request.To, record);
        }

        return result;
    }

    /// <summary>
    /// Whether the ref has commits that were made here, after the one that is there: then there is nothing to pull. After a commit that was pulled, an
    /// older one there is a step back.
    /// </summary>
    private static bool IsAhead(ObjectStore store, PullRequest request, Digest before, Digest there) =>
        request is { AllowDowngrade: false, Force: false } && there != before
        && !store.Refs.CameFromElsewhere(request.To, before) && RefHistory.Has(store, [before], there);

    /// <summary>Adds what is lacking of a commit that was judged, its signatures and its ancestors, and sets the ref.</summary>
    private static PullResult Take(
        ObjectStore store, PullSource source, PullRequest request, OfferedCommit offered, Digest before, IReadOnlyList<SshSignature> signatures)
    {
        store.Refs.RequireFree(request.To);
        using var additions = new Additions(store);
        Digest from = offered.Begin(request, before);
        Commit commit = offered.ReadCommit();
        if (!request.Force)
        {
            Requirements.RequireNothingLost(store, source.Subject, request.To, commit, lost => source.Has(store, lost));
            if (!request.AllowDowngrade)
            {
                Requirements.RequireNewer(store, source.Subject, request.To, commit);
            }
        }

        var lacking = new Lacking(additions);
        lacking.Add(offered.ReadTree, commit);
        var result = new PullResult(request.To, offered.Digest, before)
        {
            Blobs = lacking.Blobs.Count,
            RawBytes = lacking.Blobs.Values.Sum(blob => blob.Size),
            DeltaFrom = offered.DeltaFrom,
        };
        var old = new StoredContent(store, from);
        if (request.DryRun)
        {
            FetchCost cost = offered.CostOf(lacking.Blobs.Where(blob => !old.Has(blob.Key)).ToDictionary());
            return result with { RequestsLeft = cost.Requests, BytesLeft = cost.Bytes };
        }

        Requirements.RequireSpace(store, result.RawBytes);
        if (request.Progress is { } progress)
        {
            progress.TotalFiles += result.Blobs;
        }

        old.Add(additions, lacking.Blobs, request.Progress);
        offered.Fetch(additions, old, lacking.Blobs, request.Progress);
        Ancestors.Add(additions, source, commit, request);
        CommitSignatures.Add(store, offered.Digest, signatures);
        string way = request.Replaces is null ? RefChange.Pulled : RefChange.Pushed;
        additions.PublishCommit(request.To, commit).SetRefFrom(before, $"{way}from {source.Subject}");
        return result;
    }

    /// <summary>The record to keep: one that was checked, so none where no signature is required.</summary>
    private static SignedRecord? CheckRecord(string subject, PullRequest request, OfferedCommit offered, SignedRecord? known)
    {
        if (request.Trusted is not { } trusted)
        {
            return null;
        }

        SignedRecord.Require(offered.Record, known, subject, request.From, offered.Digest, trusted, request.AllowDowngrade);
        return offered.Record;
    }

    private static void Keep(ObjectStore store, string name, SignedRecord? record)
    {
        if (record is not null)
        {
            store.RefRecords.Set(name, record.Encode());
        }
    }
}
