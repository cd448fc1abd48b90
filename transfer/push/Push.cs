using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>What to push, and how.</summary>
/// <param name="Ref">The ref, here and on the remote.</param>
public sealed record PushRequest(string Ref)
{
    /// <summary>Whether the remote's ref may go to a commit that is no descendant of its own.</summary>
    public bool Force { get; init; }

    /// <summary>Whether to send everything, also what the remote has already.</summary>
    public bool Anew { get; init; }

    /// <summary>From how many of the commits before to send a delta, where it is worth it: the remote's own, its parent, and so on.</summary>
    public int Deltas { get; init; } = 3;

    /// <summary>What is to be signed about the ref; null for nothing.</summary>
    public RecordRequest? Record { get; init; }

    /// <summary>Counts the blobs.</summary>
    public Progress? Progress { get; init; }

    /// <summary>The commit that the ref names. Throws <see cref="StoreException"/> if there is no such ref.</summary>
    internal Digest CommitIn(ObjectStore store) =>
        store.Refs.Find(Ref) is { IsNone: false } commit ? commit : throw new StoreException($"there is no ref '{Ref}'", new Remedy.ListRefs());
}

/// <summary>What a push did.</summary>
/// <param name="Ref">The ref.</param>
/// <param name="Commit">The commit.</param>
/// <param name="Before">The commit that the remote's ref named before; none if there was no such ref.</param>
public sealed record PushResult(string Ref, Digest Commit, Digest Before)
{
    /// <summary>The blobs that were sent.</summary>
    public int Blobs { get; init; }

    /// <summary>Their bytes before compression.</summary>
    public long RawBytes { get; init; }

    /// <summary>The deltas that were sent.</summary>
    public int Deltas { get; init; }

    /// <summary>Whether the remote had the commit, and got signatures of it.</summary>
    public bool HasNewSignatures { get; init; }

    /// <summary>Whether the remote's ref named the commit already.</summary>
    public bool IsCurrent => Commit == Before;
}

/// <summary>
/// Sends a commit to a remote (transfer/FORMAT.md, sections 1 and 5). What the remote has of it stays as it is; one generation is added for the rest. The tag
/// of the ref is set last.
/// </summary>
public static class Push
{
    private const int MostGenerations = 32;

    /// <summary>
    /// Pushes a ref. Throws <see cref="StoreException"/> if there is no such ref, or if the remote's ref names a commit that is no ancestor.
    /// </summary>
    public static PushResult Run(ObjectStore store, Remote remote, PushRequest request)
    {
        remote.SendsAll = request.Anew;
        string tag = TagName.OfRef(request.Ref);
        Digest digest = request.CommitIn(store);
        TagTarget? target = remote.Find(tag);
        IReadOnlyList<SshSignature> signatures = CommitSignatures.Find(store, digest);
        SignedRecord? known = SignedRecord.Find(store, request.Ref);
        bool hasMore = signatures.Count > 0 || request.Record is not null || known is not null;
        if (target is not null && target.Commit == digest && !request.Anew && !hasMore)
        {
            return new PushResult(request.Ref, digest, digest);
        }

        Manifest? old = target is null ? null : remote.Decode(tag, target);
        Digest before = old?.Commit.Digest ?? default;
        SignedRecord? record = SentRecord.Of(store, remote, request, digest, old, known);
        if (before == digest && !request.Anew)
        {
            bool isNew = TryAddSignatures(remote, request, old!, signatures, record);
            Keep(store, request, record);
            return new PushResult(request.Ref, digest, digest) { HasNewSignatures = isNew };
        }

        Requirements.RequireDescendant(store, remote.Subject, request, digest, before);
        if (before.IsNone)
        {
            Requirements.RequireFree(remote, request.Ref);
        }

        PushResult result = Send(store, remote, request, old, digest, record);
        Keep(store, request, record);
        return result;
    }

    /// <summary>Remembers a record that was made, so that the next one has a higher number.</summary>
    private static void Keep(ObjectStore store, PushRequest request, SignedRecord? record)
    {
        if (request.Record is not null && record is not null)
        {
            store.RefRecords.Set(request.Ref, record.Encode());
        }
    }

    /// <summary>Adds signatures, and the ref's record, to a commit that is there already. False if the remote has them.</summary>
    private static bool TryAddSignatures(Remote remote, PushRequest request, Manifest old, IReadOnlyList<SshSignature> signatures, SignedRecord? record)
    {
        Manifest signed = old with { Signatures = SshArmor.Parse(CommitSignatures.Text([.. signatures, .. old.Signatures])), Record = record };
        bool isNew = record?.Record != old.Record?.Record
            || signatures.Any(own => !old.Signatures.Any(there => there.Blob.SequenceEqual(own.Blob)));
        if (isNew)
        {
            remote.SetTags(signed, [TagName.OfCommit(old.Commit.Digest), TagName.OfRef(request.Ref)]);
        }

        return isNew;
    }

    private static PushResult Send(ObjectStore store, Remote remote, PushRequest request, Manifest? old, Digest digest, SignedRecord? record)
    {
        Digest before = old?.Commit.Digest ?? default;
        var content = SentContent.Of(store, digest);
        SentContent? there = request.Anew || before.IsNone || !store.Packs.TryReadCommit(before, out _) ? null : SentContent.Of(store, before);
        Reused reused = there is null ? Reused.Nothing : Reused.Find(remote, old!, content);
        if (reused.Generations.Count >= MostGenerations || reused.IsMostlyDead)
        {
            (there, reused) = (null, Reused.Nothing);
        }

        SentBlob[] blobs = [.. content.Blobs.Where(blob => !reused.Blobs.Contains(blob.Digest))];
        if (request.Progress is { } progress)
        {
            progress.TotalFiles += blobs.Length;
        }

        byte[] text = content.Commit.Encode();
        var config = Descriptor.Of(MediaType.Commit, text);
        Generation generation = new Sender(store, remote, request.Progress).Send(content, there, blobs);
        remote.SendUnlessThere(config, new MemoryStream(text));
        Digest newest = before == digest ? content.Commit.Parents.FirstOrDefault() : before;
        List<OfferedDelta> deltas = SentDeltas.Send(store, remote, content, newest, request.Deltas);
        var manifest = new Manifest(config, [generation, .. reused.Generations], content.Commit.Time)
        {
            Signatures = CommitSignatures.Find(store, digest),
            Record = record,
            Deltas = deltas,
        };
        if (manifest.Encode().Length > Manifest.MaxLength)
        {
            throw new StoreException(
                $"{remote.Subject}: the manifest of {request.Ref} would be longer than the {Manifest.MaxLength} bytes that registries take");
        }

        remote.SetTags(manifest, [TagName.OfCommit(digest), TagName.OfRef(request.Ref)]);
        return new PushResult(request.Ref, digest, before)
        {
            Blobs = blobs.Length,
            RawBytes = blobs.Sum(blob => blob.Size),
            Deltas = deltas.Count,
        };
    }
}
