using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>A frame to fetch.</summary>
/// <param name="Frame">Where it is.</param>
internal sealed record FrameFetch(Frame Frame)
{
    /// <summary>The blobs to take out of it, each with its offset in the frame's raw bytes.</summary>
    internal List<(int Offset, LackingBlob Blob)> Blobs { get; } = [];
}

/// <summary>A bundle to fetch, or parts of it.</summary>
/// <param name="Bundle">The bundle.</param>
/// <param name="Frames">The frames to fetch, in the order of their offsets.</param>
internal sealed record BundleFetch(Descriptor Bundle, IReadOnlyList<FrameFetch> Frames)
{
    // A gap of this length takes no longer to read than another request takes.
    private const long ShortGap = 64 * 1024;

    private const double WorthWhole = 0.4;

    /// <summary>Whether so much of the bundle is needed that it is fetched whole.</summary>
    internal bool IsWhole { get; } = Frames.Sum(each => each.Frame.StoredLength) > WorthWhole * Bundle.Size;

    /// <summary>The number of requests that are needed for it.</summary>
    internal int Requests
    {
        get
        {
            int requests = 0;
            for (int i = 0; i < Frames.Count; i = EndOf(i))
            {
                requests++;
            }

            return requests;
        }
    }

    /// <summary>The number of bytes that are fetched.</summary>
    internal long Bytes
    {
        get
        {
            long bytes = 0;
            for (int i = 0; i < Frames.Count; i = EndOf(i))
            {
                bytes += RangeFrom(i).Length;
            }

            return bytes;
        }
    }

    /// <summary>The range to ask for when the frames before number <paramref name="first"/> were read.</summary>
    internal (long Offset, long Length) RangeFrom(int first)
    {
        if (IsWhole)
        {
            return (0, Bundle.Size);
        }

        long offset = Frames[first].Frame.Offset;
        return (offset, Frames[EndOf(first) - 1].Frame.End - offset);
    }

    /// <summary>The number of the first frame that the range does not hold.</summary>
    private int EndOf(int first)
    {
        int end = first + 1;
        while (end < Frames.Count && (IsWhole || Frames[end].Frame.Offset - Frames[end - 1].Frame.End <= ShortGap))
        {
            end++;
        }

        return end;
    }
}

/// <summary>What a pull fetches: frames of bundles.</summary>
internal sealed class FetchPlan
{
    private readonly Dictionary<Digest, (Descriptor Bundle, Dictionary<Frame, FrameFetch> Frames)> bundles = [];

    /// <summary>Adds a blob.</summary>
    internal void Add(BundleIndex index, BlobPlace place, LackingBlob blob)
    {
        Frame frame = index.Frames[place.Frame];
        BundleName name = index.Bundles[frame.Bundle];
        if (!bundles.TryGetValue(name.Digest, out (Descriptor, Dictionary<Frame, FrameFetch> Frames) bundle))
        {
            bundle = (new Descriptor(MediaType.Bundle, name.Digest, name.Length), []);
            bundles.Add(name.Digest, bundle);
        }

        if (!bundle.Frames.TryGetValue(frame, out FrameFetch? fetch))
        {
            fetch = new FrameFetch(frame);
            bundle.Frames.Add(frame, fetch);
        }

        fetch.Blobs.Add((place.Offset, blob));
    }

    /// <summary>The bundles to fetch.</summary>
    internal IReadOnlyList<BundleFetch> Bundles() =>
        [.. bundles.Values.Select(each => new BundleFetch(each.Bundle, [.. each.Frames.Values.OrderBy(fetch => fetch.Frame.Offset)]))];
}
