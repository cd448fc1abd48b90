using HackTree.Model;

namespace HackTree.Transfer;

/// <summary>A blob to send: one file of the commit that has it.</summary>
/// <param name="Digest">The blob's digest.</param>
/// <param name="Size">Its length in bytes; not 0.</param>
/// <param name="Metadata">The file's metadata: with digest and attributes it names an object.</param>
/// <param name="Xattrs">The file's attributes, canonical.</param>
/// <param name="Path">The file's path in the tree, for messages.</param>
internal sealed record SentBlob(Digest Digest, long Size, FileMetadata Metadata, byte[] Xattrs, byte[] Path)
{
    /// <summary>The file as an entry of a tree.</summary>
    internal TreeEntry Entry => new() { Kind = EntryKind.Regular, Digest = Digest, Size = Size, Metadata = Metadata, Xattrs = Xattrs };
}

/// <summary>
/// How blobs are put into frames, and frames into bundles (transfer/FORMAT.md, section 3). It depends on the blobs' lengths and order alone, so the bundles can
/// be made side by side, and are the same each time.
/// </summary>
internal static class BundlePlan
{
    private const long FrameOfItsOwn = 64 * 1024;
    private const long FrameTarget = 128 * 1024;
    private const long BundleOfItsOwn = 8 * 1024 * 1024;
    private const long BundleTarget = 24 * 1024 * 1024;

    /// <summary>The blobs of a frame, each with its offset in the raw bytes.</summary>
    internal static IReadOnlyList<(Digest Blob, int Offset)> OffsetsOf(IReadOnlyList<SentBlob> frame)
    {
        var offsets = new (Digest, int)[frame.Count];
        long offset = 0;
        for (int i = 0; i < offsets.Length; i++)
        {
            // A blob that is longer than an offset can say has its frame for itself.
            offsets[i] = (frame[i].Digest, (int)offset);
            offset += frame[i].Size;
        }

        return offsets;
    }

    /// <summary>The bundles; of each its frames, of each frame its blobs.</summary>
    internal static List<List<List<SentBlob>>> Of(IEnumerable<SentBlob> blobs)
    {
        var bundles = new List<List<List<SentBlob>>>();
        var bundle = new List<List<SentBlob>>();
        var shared = new List<SentBlob>();
        (long sharedLength, long bundleLength) = (0, 0);
        foreach (SentBlob blob in blobs)
        {
            if (blob.Size >= BundleOfItsOwn)
            {
                bundles.Add([[blob]]);
            }
            else if (blob.Size >= FrameOfItsOwn)
            {
                AddFrame([blob], blob.Size);
            }
            else
            {
                shared.Add(blob);
                sharedLength += blob.Size;
                if (sharedLength >= FrameTarget)
                {
                    EndShared();
                }
            }
        }

        EndShared();
        EndBundle();
        return bundles;

        void AddFrame(List<SentBlob> frame, long length)
        {
            bundle.Add(frame);
            bundleLength += length;
            if (bundleLength >= BundleTarget)
            {
                EndBundle();
            }
        }

        void EndShared()
        {
            if (shared.Count > 0)
            {
                AddFrame(shared, sharedLength);
                (shared, sharedLength) = ([], 0);
            }
        }

        void EndBundle()
        {
            if (bundle.Count > 0)
            {
                bundles.Add(bundle);
                (bundle, bundleLength) = ([], 0);
            }
        }
    }
}
