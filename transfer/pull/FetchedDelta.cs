using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>Uses a delta that a remote offers, where the store has the commit that it is from. A pull never needs one.</summary>
internal static class FetchedDelta
{
    /// <summary>The shortest delta that the store can use; null if there is none, or if the store has the commit's trees already.</summary>
    internal static OfferedDelta? Choose(ObjectStore store, Manifest manifest) =>
        store.Packs.Contains(manifest.Commit.Digest)
            ? null
            : manifest.Deltas.Where(delta => store.Packs.Contains(delta.From)).MinBy(delta => delta.Descriptor.Size);

    /// <summary>
    /// Fetches a delta and lets this process read its trees. Null if it is none of this commit: then what it would have had is fetched without it.
    /// </summary>
    internal static DeltaFile? TryOpen(ObjectStore store, Remote remote, Manifest manifest, OfferedDelta offered)
    {
        FileStream file = ScratchFile.Open(store);
        try
        {
            remote.Copy(offered.Descriptor, file);
            file.Position = 0;
            var delta = DeltaFile.Open(file, fault => remote.Wrong(offered.Descriptor, fault));
            if (delta.Head.From == offered.From && delta.Head.To == manifest.Commit.Digest)
            {
                delta.AttachPack(store);
                return delta;
            }
        }
        catch (StoreException)
        {
            // The bundles have everything too.
        }

        file.Dispose();
        return null;
    }

    /// <summary>Makes the objects that the delta has, as far as nothing is wrong with it or with the old commit's files.</summary>
    internal static void Add(DeltaFile delta, Additions additions, StoredContent old, Dictionary<Digest, LackingBlob> lacking, Progress? progress)
    {
        try
        {
            delta.Add(additions, old, lacking, progress);
        }
        catch (StoreException e) when (e is not UnheldException)
        {
            // What is still lacking comes from the bundles.
        }
    }
}
