using HackTree.Checkout;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// Fetches what a plan says, and makes objects of it. One worker does one bundle after the other, and there are as many workers as connections.
/// </summary>
internal sealed class Fetch(Additions additions, Remote remote, Progress? progress)
{
    private const int Connections = 8;

    private readonly CancellationToken stop = additions.Store.Stop;

    /// <summary>Fetches all of the bundles.</summary>
    internal void Run(IReadOnlyList<BundleFetch> bundles)
    {
        var work = new WorkStack<BundleFetch>(stop);
        foreach (BundleFetch bundle in bundles)
        {
            work.Push(bundle);
        }

        work.Run(Math.Min(Connections, bundles.Count), () => Run);
    }

    private void Run(BundleFetch bundle)
    {
        using var frames = new FrameReader(additions, fault => remote.Wrong(bundle.Bundle, fault), progress);
        for (int next = 0; next < bundle.Frames.Count;)
        {
            (long offset, long length) = bundle.RangeFrom(next);
            using BlobReader reader = remote.Open(bundle.Bundle, offset, length);
            for (; next < bundle.Frames.Count && bundle.Frames[next].Frame.End <= reader.End; next++)
            {
                stop.ThrowIfCancellationRequested();
                FrameFetch fetch = bundle.Frames[next];
                reader.SkipTo(fetch.Frame.Offset);
                frames.Add(new PartReader(reader), fetch.Frame.StoredLength, fetch.Frame.RawLength, fetch.Blobs);
                reader.SkipTo(fetch.Frame.End);
            }
        }
    }

    /// <summary>A part of a blob as a stream.</summary>
    private sealed class PartReader(BlobReader reader) : ReadOnlyStream
    {
        public override int Read(Span<byte> buffer) => buffer.IsEmpty || reader.Position >= reader.End ? 0 : reader.Read(buffer);
    }
}
