using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>How to take a commit from a delta.</summary>
/// <param name="Ref">The ref to set.</param>
public sealed record DeltaRequest(string Ref)
{
    /// <summary>Whether the ref may go to an older commit.</summary>
    public bool AllowDowngrade { get; init; }

    /// <summary>Whether the ref may lose a commit that was made here and that the delta is not from, and go to an older one.</summary>
    public bool Force { get; init; }

    /// <summary>The keys of which one must have signed the commit; null if none need have.</summary>
    public TrustedKeys? Trusted { get; init; }

    /// <summary>Counts the blobs.</summary>
    public Progress? Progress { get; init; }
}

/// <summary>A delta that was made or used.</summary>
/// <param name="From">The commit that a reader must have.</param>
/// <param name="To">The commit that it gets.</param>
/// <param name="Blobs">The number of blobs in the delta, or of those that were taken from it.</param>
/// <param name="RawBytes">Their bytes.</param>
/// <param name="Length">The delta's length in bytes.</param>
public sealed record DeltaResult(Digest From, Digest To, int Blobs, long RawBytes, long Length);

/// <summary>Deltas as files, for machines that reach no remote (transfer/FORMAT.md, section 7).</summary>
public static class DeltaTransfer
{
    /// <summary>Writes the delta between two commits, with the signatures that the store has of the second.</summary>
    public static DeltaResult Make(ObjectStore store, Digest from, Digest to, Stream output)
    {
        using MadeDelta made = DeltaWriter.Make(store, from, to);
        made.File.CopyTo(output);
        return new DeltaResult(from, to, made.Head.Frames.Sum(frame => frame.Blobs.Count), made.Head.Frames.Sum(frame => frame.RawLength), made.File.Length);
    }

    /// <summary>
    /// Adds the delta's commit to the store, and sets a ref to it. Throws <see cref="StoreException"/> if the store does not have the commit that the
    /// delta is from, if the commit is older than the ref's own or not signed as it must be, or if something in the delta is wrong.
    /// </summary>
    /// <param name="store">The store.</param>
    /// <param name="file">The delta, which this takes over.</param>
    /// <param name="subject">What to call it in messages.</param>
    /// <param name="request">What to do with the commit.</param>
    public static DeltaResult Apply(ObjectStore store, FileStream file, string subject, DeltaRequest request)
    {
        store.Refs.RequireFree(request.Ref);
        Digest before = store.Refs.Find(request.Ref);
        using var delta = DeltaFile.Open(file, fault => new CorruptException(subject, fault, null));
        (Digest from, Digest to) = (delta.Head.From, delta.Head.To);
        if (!store.Packs.Contains(from))
        {
            throw new StoreException($"{subject}: it is a delta from commit {from.ToShortString()}, which this store does not have");
        }

        delta.AttachPack(store);
        if (!store.Packs.TryReadCommit(to, out Commit? commit))
        {
            throw new CorruptException(subject, $"it does not have commit {to.ToShortString()}", null);
        }

        IReadOnlyList<SshSignature> signatures = SshArmor.Parse(delta.Head.Signatures);
        if (request.Trusted is { } trusted)
        {
            _ = CommitSignatures.Require(subject, to, commit.Encode(), [.. signatures, .. CommitSignatures.Find(store, to)], trusted);
        }

        if (!request.Force)
        {
            Requirements.RequireNothingLost(store, subject, request.Ref, commit, lost => lost == from);
            if (!request.AllowDowngrade)
            {
                Requirements.RequireNewer(store, subject, request.Ref, commit);
            }
        }

        return Add(store, delta, commit, subject, request, before, signatures) with { Length = file.Length };
    }

    private static DeltaResult Add(
        ObjectStore store, DeltaFile delta, Commit commit, string subject, DeltaRequest request, Digest before, IReadOnlyList<SshSignature> signatures)
    {
        using var additions = new Additions(store);
        var lacking = new Lacking(additions);
        lacking.Add(digest => store.Packs.ReadTree(digest), commit);
        var result = new DeltaResult(delta.Head.From, delta.Head.To, lacking.Blobs.Count, lacking.Blobs.Values.Sum(blob => blob.Size), 0);
        Requirements.RequireSpace(store, result.RawBytes);
        if (request.Progress is { } progress)
        {
            progress.TotalFiles += result.Blobs;
        }

        var old = new StoredContent(store, delta.Head.From);
        old.Add(additions, lacking.Blobs, request.Progress);
        delta.Add(additions, old, lacking.Blobs, request.Progress);
        if (lacking.Blobs.Values.FirstOrDefault() is { } missing)
        {
            throw new StoreException($"{subject}: neither it nor the store has {ByteText.Quote(missing.Path)} of commit {delta.Head.To.ToShortString()}");
        }

        CommitSignatures.Add(store, delta.Head.To, signatures);
        additions.PublishCommit(request.Ref, commit).SetRefFrom(before, $"{RefChange.ByDelta}from {delta.Head.From.ToShortString()}");
        return result;
    }
}
