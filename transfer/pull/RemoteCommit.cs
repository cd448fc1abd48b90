using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// A commit on a remote: its trees, and where its blobs are. Packs and indexes are fetched when something is asked for that those before do not
/// have. Not thread-safe.
/// </summary>
internal sealed class RemoteCommit(ObjectStore store, Remote remote, Manifest manifest)
{
    /// <summary>The longest pack that is read. A hostile server may claim anything.</summary>
    internal const long MaxPack = 4L * 1024 * 1024 * 1024;

    private readonly List<(Generation Generation, BundleIndex Index)> indexes = [];
    private int packs;

    /// <summary>The commit's digest.</summary>
    internal Digest Digest => manifest.Commit.Digest;

    /// <summary>Reads the commit. Throws <see cref="StoreException"/> if the remote does not have it.</summary>
    internal Commit ReadCommit() => Read(Digest, () => store.Packs.TryReadCommit(Digest, out Commit? commit) ? commit : null);

    /// <summary>Reads a tree. Throws <see cref="StoreException"/> if neither store nor remote has it.</summary>
    internal Tree ReadTree(Digest digest) => Read(digest, () =>
    {
        try
        {
            return store.Packs.ReadTree(digest);
        }
        catch (CorruptException e) when (e.IsMissing)
        {
            return null;
        }
    });

    /// <summary>
    /// Finds blobs: moves each to the plan, which says what to fetch. Throws <see cref="StoreException"/> if the remote lacks one.
    /// </summary>
    internal FetchPlan Plan(Dictionary<Digest, LackingBlob> blobs)
    {
        var plan = new FetchPlan();
        HashSet<Digest> missing = Find(blobs, plan);
        return missing.Count == 0 ? plan
            : throw new StoreException($"{remote.Subject}: commit {Digest.ToShortString()} is not whole there: blob {missing.First()} is missing");
    }

    /// <summary>Moves the blobs that are found to a plan. Returns those that the remote lacks.</summary>
    internal HashSet<Digest> Find(IReadOnlyDictionary<Digest, LackingBlob> blobs, FetchPlan plan)
    {
        var wanted = new HashSet<Digest>(blobs.Keys);
        for (int i = 0; wanted.Count > 0 && (i < indexes.Count || TryFetchIndex()); i++)
        {
            (Generation generation, BundleIndex index) = indexes[i];
            var available = generation.Bundles.Select(bundle => bundle.Digest).ToHashSet();
            foreach (Digest digest in wanted)
            {
                if (index.TryFind(digest, out BlobPlace place) && available.Contains(index.Bundles[index.Frames[place.Frame].Bundle].Digest))
                {
                    plan.Add(index, place, blobs[digest]);
                    wanted.Remove(digest);
                }
            }
        }

        return wanted;
    }

    /// <summary>Lets the store read all packs that are not known yet.</summary>
    internal void AttachPacks(HashSet<Digest> known)
    {
        for (; packs < manifest.Generations.Count; packs++)
        {
            if (known.Add(manifest.Generations[packs].Pack.Digest))
            {
                AttachPack(manifest.Generations[packs].Pack);
            }
        }
    }

    private T Read<T>(Digest digest, Func<T?> tryRead)
        where T : class
    {
        while (true)
        {
            try
            {
                if (tryRead() is { } found)
                {
                    return found;
                }
            }
            catch (CorruptException e) when (e.Subject.StartsWith(remote.Subject, StringComparison.Ordinal))
            {
                // The store is not what is damaged, so the advice to check the store would be wrong.
                throw new CorruptException(e.Subject, e.Fault, null);
            }

            if (packs == manifest.Generations.Count)
            {
                throw new StoreException($"{remote.Subject}: commit {Digest.ToShortString()} is not whole there: {digest} is missing");
            }

            AttachPack(manifest.Generations[packs++].Pack);
        }
    }

    private void AttachPack(Descriptor pack)
    {
        if (pack.Size > MaxPack)
        {
            throw remote.Wrong(pack, $"a pack of {pack.Size} bytes is longer than any that is read");
        }

        FileStream file = ScratchFile.Open(store);
        try
        {
            remote.Copy(pack, file);
        }
        catch
        {
            file.Dispose();
            throw;
        }

        // The packs take over the descriptor. The stream has no buffer, so nothing is lost with it.
        store.Packs.Attach(file.SafeFileHandle, pack.Digest, $"{remote.Subject} ({pack.DigestText})");
    }

    private bool TryFetchIndex()
    {
        if (indexes.Count == manifest.Generations.Count)
        {
            return false;
        }

        Generation generation = manifest.Generations[indexes.Count];
        indexes.Add((generation, remote.ReadIndex(generation)));
        return true;
    }
}
