using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>Makes and sends the blobs of one generation: bundles, index, pack.</summary>
internal sealed class Sender(ObjectStore store, Remote remote, Progress? progress)
{
    /// <summary>Sends a generation: these blobs of a commit, and its trees that another one, which is there, does not have.</summary>
    internal Generation Send(SentContent content, SentContent? there, IReadOnlyList<SentBlob> blobs)
    {
        List<List<List<SentBlob>>> plan = BundlePlan.Of(blobs);
        (Descriptor Bundle, IReadOnlyList<Frame> Frames)[] sent = ParallelMap.RunLong(plan, bundle => Send(content.Digest, bundle), store.Stop);
        byte[] index = Index(plan, sent);
        var indexDescriptor = Descriptor.Of(MediaType.Index, index);
        remote.SendUnlessThere(indexDescriptor, new MemoryStream(index));
        using var pack = SentPack.Make(store, content, there);
        remote.SendUnlessThere(pack.Descriptor, pack.File);
        return new Generation(pack.Descriptor, indexDescriptor, [.. sent.Select(each => each.Bundle)]);
    }

    private (Descriptor Bundle, IReadOnlyList<Frame> Frames) Send(Digest commit, List<List<SentBlob>> bundle)
    {
        using var writer = new BundleWriter(store, commit);
        using MadeBundle made = writer.Make(bundle);
        var descriptor = new Descriptor(MediaType.Bundle, made.Name.Digest, made.Name.Length);
        remote.SendUnlessThere(descriptor, made.File);
        bundle.ForEach(frame => frame.ForEach(blob => progress?.Add(blob.Size)));
        return (descriptor, made.Frames);
    }

    private static byte[] Index(List<List<List<SentBlob>>> plan, (Descriptor Bundle, IReadOnlyList<Frame> Frames)[] sent)
    {
        var frames = new List<Frame>();
        var blobs = new List<(Digest, BlobPlace)>();
        for (int bundle = 0; bundle < plan.Count; bundle++)
        {
            foreach ((List<SentBlob> frame, Frame place) in plan[bundle].Zip(sent[bundle].Frames))
            {
                blobs.AddRange(BundlePlan.OffsetsOf(frame).Select(each => (each.Blob, new BlobPlace(frames.Count, each.Offset))));
                frames.Add(place with { Bundle = bundle });
            }
        }

        return BundleIndex.Encode([.. sent.Select(each => new BundleName(each.Bundle.Digest, each.Bundle.Size))], frames, blobs);
    }
}
