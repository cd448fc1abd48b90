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

    /// <summary>Counts the blobs.</summary>
    public Progress? Progress { get; init; }
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
        string tag = TagName.OfRef(request.Ref);
        Digest digest = store.Refs.Find(request.Ref);
        if (digest.IsNone)
        {
            throw new StoreException($"there is no ref '{request.Ref}'", new Remedy.ListRefs());
        }

        Commit commit = store.Packs.ReadCommit(digest);
        TagTarget? target = remote.Find(tag);
        IReadOnlyList<SshSignature> signatures = CommitSignatures.Find(store, digest);
        if (target is not null && target.Commit == digest && !request.Anew && signatures.Count == 0)
        {
            return new PushResult(request.Ref, digest, digest);
        }

        Manifest? old = target is null ? null : remote.Decode(tag, target);
        Digest before = old?.Commit.Digest ?? default;
        if (before == digest && !request.Anew)
        {
            return new PushResult(request.Ref, digest, digest) { HasNewSignatures = TryAddSignatures(remote, request, old!, signatures) };
        }

        bool isDescendant = before.IsNone || before == digest || IsAncestor(store, before, commit);
        if (!isDescendant && !request.Force)
        {
            throw new StoreException(
                $"{remote.Subject}: {request.Ref} is commit {before.ToShortString()} there, which is no ancestor of {digest.ToShortString()}; "
                + "pull it first, or replace it with --force");
        }

        var content = SentContent.Of(store, commit, Contains(store, before) && !request.Anew ? before : default);
        Reused reused = content.Base.IsNone ? Reused.Nothing : Reused.Find(remote, old!, content);
        if (reused.Generations.Count >= MostGenerations || reused.IsMostlyDead)
        {
            (content, reused) = (SentContent.Of(store, commit, default), Reused.Nothing);
        }

        return Send(store, remote, request, commit, content, reused) with { Before = before };
    }

    /// <summary>Adds signatures to a commit that is there already. False if the remote has them.</summary>
    private static bool TryAddSignatures(Remote remote, PushRequest request, Manifest old, IReadOnlyList<SshSignature> signatures)
    {
        Manifest signed = old with { Signatures = SshArmor.Parse(CommitSignatures.Text([.. signatures, .. old.Signatures])) };
        bool isNew = signatures.Any(own => !old.Signatures.Any(there => there.Blob.SequenceEqual(own.Blob)));
        if (isNew)
        {
            remote.SetTags(signed, [TagName.OfCommit(old.Commit.Digest), TagName.OfRef(request.Ref)]);
        }

        return isNew;
    }

    private static PushResult Send(ObjectStore store, Remote remote, PushRequest request, Commit commit, SentContent content, Reused reused)
    {
        SentBlob[] blobs = [.. content.Blobs.Where(blob => !reused.Blobs.Contains(blob.Digest))];
        if (request.Progress is { } progress)
        {
            progress.TotalFiles += blobs.Length;
        }

        byte[] text = commit.Encode();
        var config = Descriptor.Of(MediaType.Commit, text);
        var sender = new Sender(store, remote, config.Digest, request.Progress);
        Generation generation = sender.Send(content.Trees, blobs, commit);
        sender.SendUnlessThere(config, () => new MemoryStream(text));
        var manifest = new Manifest(config, [generation, .. reused.Generations], commit.Time) { Signatures = CommitSignatures.Find(store, config.Digest) };
        if (manifest.Encode().Length > Manifest.MaxLength)
        {
            throw new StoreException(
                $"{remote.Subject}: the manifest of {request.Ref} would be longer than the {Manifest.MaxLength} bytes that registries take");
        }

        remote.SetTags(manifest, [TagName.OfCommit(config.Digest), TagName.OfRef(request.Ref)]);
        return new PushResult(request.Ref, config.Digest, default) { Blobs = blobs.Length, RawBytes = blobs.Sum(blob => blob.Size) };
    }

    private static bool Contains(ObjectStore store, Digest commit) => !commit.IsNone && store.Packs.TryReadCommit(commit, out _);

    private static bool IsAncestor(ObjectStore store, Digest ancestor, Commit commit)
    {
        var waiting = new Queue<Digest>(commit.Parents);
        var seen = new HashSet<Digest>();
        while (waiting.TryDequeue(out Digest next))
        {
            if (next == ancestor)
            {
                return true;
            }

            if (seen.Add(next) && store.Packs.TryReadCommit(next, out Commit? read))
            {
                foreach (Digest parent in read.Parents)
                {
                    waiting.Enqueue(parent);
                }
            }
        }

        return false;
    }
}
