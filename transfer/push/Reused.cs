using HackTree.Model;

namespace HackTree.Transfer;

/// <summary>What a push takes over of the manifest that is on the remote.</summary>
/// <param name="Generations">The generations, with those of their bundles that the commit needs.</param>
/// <param name="Blobs">The commit's blobs in them.</param>
/// <param name="IsMostlyDead">Whether less than half of the raw bytes in these bundles are needed.</param>
internal sealed record Reused(IReadOnlyList<Generation> Generations, HashSet<Digest> Blobs, bool IsMostlyDead)
{
    /// <summary>Nothing is taken over.</summary>
    internal static Reused Nothing { get; } = new([], [], IsMostlyDead: false);

    /// <summary>Finds out what can be taken over. Reads the indexes of the remote.</summary>
    internal static Reused Find(Remote remote, Manifest old, SentContent content)
    {
        var generations = new List<Generation>();
        HashSet<Digest> found = [];
        (long needed, long all) = (0, 0);
        foreach (Generation generation in old.Generations)
        {
            BundleIndex index = remote.ReadIndex(generation);
            var available = generation.Bundles.Select(bundle => bundle.Digest).ToHashSet();
            HashSet<int> used = [];
            foreach (SentBlob blob in content.Blobs)
            {
                if (!found.Contains(blob.Digest) && index.TryFind(blob.Digest, out BlobPlace place)
                    && index.Frames[place.Frame].Bundle is var bundle && available.Contains(index.Bundles[bundle].Digest))
                {
                    found.Add(blob.Digest);
                    used.Add(bundle);
                    needed += blob.Size;
                }
            }

            all += index.Frames.Where(frame => used.Contains(frame.Bundle)).Sum(frame => frame.RawLength);
            HashSet<Digest> kept = [.. used.Select(bundle => index.Bundles[bundle].Digest)];
            generations.Add(generation with { Bundles = [.. generation.Bundles.Where(bundle => kept.Contains(bundle.Digest))] });
        }

        return new Reused(generations, found, needed < all / 2);
    }
}
