using System.Globalization;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Transfer;

/// <summary>What to pull, and how.</summary>
/// <param name="From">The ref on the remote.</param>
/// <param name="To">The ref to set.</param>
public sealed record PullRequest(string From, string To)
{
    /// <summary>The number of generations of ancestors to pull too, as far as the remote has them.</summary>
    public int Depth { get; init; }

    /// <summary>Whether the ref may go to an older commit.</summary>
    public bool AllowDowngrade { get; init; }

    /// <summary>The keys of which one must have signed the commit; null if none need have.</summary>
    public TrustedKeys? Trusted { get; init; }

    /// <summary>Whether only to say what would be fetched.</summary>
    public bool DryRun { get; init; }

    /// <summary>Counts the blobs.</summary>
    public Progress? Progress { get; init; }
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

    /// <summary>With <see cref="PullRequest.DryRun"/>: the requests that were not made.</summary>
    public long RequestsLeft { get; init; }

    /// <summary>With <see cref="PullRequest.DryRun"/>: the bytes that were not fetched.</summary>
    public long BytesLeft { get; init; }

    /// <summary>Whether the ref named the commit already.</summary>
    public bool IsCurrent => Commit == Before;
}

/// <summary>
/// Brings a commit from a remote (transfer/FORMAT.md, section 6). What the store lacks is fetched and nothing else. The ref is set last, so a pull that ends
/// early has changed no ref; what it had fetched, the next pull need not fetch.
/// </summary>
public static class Pull
{
    /// <summary>
    /// Pulls a ref. Throws <see cref="StoreException"/> if the remote has no such ref, if its commit is older than the ref's own or not signed as it must be, or
    /// if something there is not what it should be.
    /// </summary>
    public static PullResult Run(ObjectStore store, Remote remote, PullRequest request)
    {
        string tag = TagName.OfRef(request.From);
        TagTarget target = remote.Find(tag) ?? throw new StoreException($"{remote.Subject} has no ref '{request.From}'");
        Digest before = store.Refs.Find(request.To);
        bool needsNothing = request.Depth == 0 && !before.IsNone && store.Packs.TryReadCommit(before, out _);
        if (needsNothing && target.Commit == before && PulledSignatures.SufficeHere(store, before, request.Trusted))
        {
            return new PullResult(request.To, before, before);
        }

        Manifest manifest = remote.Decode(tag, target);
        Digest digest = manifest.Commit.Digest;
        IReadOnlyList<SshSignature> signatures = PulledSignatures.Check(store, remote, manifest, request.Trusted);
        if (needsNothing && digest == before)
        {
            CommitSignatures.Add(store, digest, request.DryRun ? [] : signatures);
            return new PullResult(request.To, before, before);
        }

        store.Refs.RequireFree(request.To);
        using var additions = new Additions(store);
        var source = new RemoteCommit(store, remote, manifest);
        Commit commit = source.ReadCommit();
        RequireNewer(store, remote, request, before, digest, commit);
        var lacking = new Lacking(additions);
        lacking.Add(source, commit);
        FetchPlan plan = source.Plan(lacking.Blobs);
        IReadOnlyList<BundleFetch> bundles = plan.Bundles();
        var result = new PullResult(request.To, digest, before) { Blobs = plan.Blobs, RawBytes = plan.RawBytes };
        if (request.DryRun)
        {
            return result with { RequestsLeft = bundles.Sum(bundle => bundle.Requests), BytesLeft = bundles.Sum(bundle => bundle.Bytes) };
        }

        RequireSpace(store, plan.RawBytes);
        if (request.Progress is { } progress)
        {
            progress.TotalFiles += plan.Blobs;
        }

        new Fetch(additions, remote, request.Progress).Run(bundles);
        Ancestors.Add(additions, remote, commit, request.Depth, request.Progress);
        CommitSignatures.Add(store, digest, signatures);
        _ = additions.PublishCommit(request.To, commit).SetRef($"pull: from {remote.Subject}");
        return result;
    }

    private static void RequireNewer(ObjectStore store, Remote remote, PullRequest request, Digest before, Digest digest, Commit commit)
    {
        if (!request.AllowDowngrade && !before.IsNone && store.Packs.TryReadCommit(before, out Commit? own) && own.Time > commit.Time)
        {
            throw new StoreException(
                $"{remote.Subject}: {request.From} is commit {digest.ToShortString()} of {Day(commit)}, "
                + $"older than {before.ToShortString()} of {Day(own)} that {request.To} has; --allow-downgrade takes it");
        }

        static string Day(Commit commit) =>
            DateTimeOffset.FromUnixTimeSeconds(commit.Time).ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
    }

    private static void RequireSpace(ObjectStore store, long bytes)
    {
        using SafeFileHandle folder = OpenPath.Directory(store.Path);
        Sys.FreeSpaceOf(folder, out FreeSpace free).ThrowIfFailed("fstatfs", store.Path);
        if (free.Bytes < bytes)
        {
            string message = string.Create(CultureInfo.InvariantCulture, $"{store.Path}: {bytes:N0} bytes are to be stored, and {free.Bytes:N0} are free");
            throw new StoreException(message, new Remedy.FreeSpace());
        }
    }
}
