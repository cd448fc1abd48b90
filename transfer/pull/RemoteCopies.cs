using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// The blobs of a remote as copies: those of a ref, or of all refs and then of all other commits that have tags. A remote is trusted with nothing: what
/// is fetched is compared with its digest.
/// </summary>
/// <param name="repaired">The store that is repaired.</param>
/// <param name="remote">The remote. It is closed with this source.</param>
/// <param name="refName">The ref whose commit is looked at; null for all.</param>
public sealed class RemoteCopies(ObjectStore repaired, Remote remote, string? refName) : IRepairSource
{
    private readonly List<RemoteCommit> commits = [];
    private Queue<string>? tags;

    /// <inheritdoc/>
    public string Name => remote.Subject;

    /// <summary>Fetches all packs. Throws <see cref="StoreException"/> if the remote cannot be read.</summary>
    public void AttachPacks(ObjectStore store)
    {
        while (TryReadCommit())
        {
        }

        var known = new HashSet<Digest>();
        commits.ForEach(commit => commit.AttachPacks(known));
    }

    /// <summary>Finds blobs as <see cref="IRepairSource"/> says. Throws <see cref="StoreException"/> if the remote cannot be read.</summary>
    public IReadOnlyDictionary<Digest, string> Find(IReadOnlyCollection<LackingBlob> wanted)
    {
        var rest = wanted.ToDictionary(blob => blob.Digest);
        var found = new Dictionary<Digest, string>();
        for (int i = 0; rest.Count > 0 && (i < commits.Count || TryReadCommit()); i++)
        {
            HashSet<Digest> missing = commits[i].Find(rest, new FetchPlan());
            foreach (Digest digest in rest.Keys.Where(digest => !missing.Contains(digest)).ToList())
            {
                found.Add(digest, string.Create(CultureInfo.InvariantCulture, $"commit {commits[i].Digest.ToShortString()}"));
                rest.Remove(digest);
            }
        }

        return found;
    }

    /// <inheritdoc/>
    public void Add(Additions additions, IReadOnlyCollection<LackingBlob> blobs, Action<LackingBlob, Exception> onFailure)
    {
        var rest = blobs.ToDictionary(blob => blob.Digest);
        foreach (RemoteCommit commit in commits)
        {
            var plan = new FetchPlan();
            HashSet<Digest> missing = commit.Find(rest, plan);
            LackingBlob[] fetched = [.. rest.Values.Where(blob => !missing.Contains(blob.Digest))];
            Array.ForEach(fetched, blob => rest.Remove(blob.Digest));
            if (!TryFetch(additions, plan, out _))
            {
                // One bad frame ends the whole run, so the others are fetched one by one.
                Array.ForEach(fetched, blob => AddAlone(additions, commit, blob, onFailure));
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => remote.Dispose();

    private void AddAlone(Additions additions, RemoteCommit commit, LackingBlob blob, Action<LackingBlob, Exception> onFailure)
    {
        var plan = new FetchPlan();
        commit.Find(new Dictionary<Digest, LackingBlob> { [blob.Digest] = blob }, plan);
        if (!TryFetch(additions, plan, out StoreException? why))
        {
            onFailure(blob, why);
        }
    }

    private bool TryFetch(Additions additions, FetchPlan plan, [NotNullWhen(false)] out StoreException? why)
    {
        try
        {
            new Fetch(additions, remote, progress: null).Run(plan.Bundles());
            why = null;
            return true;
        }
        catch (StoreException e)
        {
            why = e;
            return false;
        }
    }

    private bool TryReadCommit()
    {
        tags ??= new Queue<string>(refName is not null ? [TagName.OfRef(refName)] : remote.Tags().OrderBy(tag => TagName.RefOf(tag) is null));
        while (tags.TryDequeue(out string? tag))
        {
            if (remote.Find(tag) is not { } target)
            {
                throw new StoreException(refName is null ? $"{remote.Subject}: the tag {tag} is gone" : $"{remote.Subject} has no ref '{refName}'");
            }

            Manifest manifest = remote.Decode(tag, target);
            if (!commits.Exists(known => known.Digest == manifest.Commit.Digest))
            {
                commits.Add(new RemoteCommit(repaired, remote, manifest));
                return true;
            }
        }

        return false;
    }
}
