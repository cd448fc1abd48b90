using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>Makes and sends the blobs of one generation: bundles, index, pack.</summary>
internal sealed class Sender(ObjectStore store, Remote remote, Digest commit, Progress? progress)
{
    /// <summary>Sends a generation with these trees and blobs, and the commit.</summary>
    internal Generation Send(IReadOnlyList<Digest> trees, IReadOnlyList<SentBlob> blobs, Commit text)
    {
        List<List<List<SentBlob>>> plan = BundlePlan.Of(blobs);
        Descriptor[] bundles = new Descriptor[plan.Count];
        var frames = new IReadOnlyList<Frame>[plan.Count];
        var work = new WorkStack<int>(store.Stop);
        foreach (int number in Enumerable.Range(0, plan.Count).Reverse())
        {
            work.Push(number);
        }

        work.Run(Environment.ProcessorCount, () => number =>
        {
            using var writer = new BundleWriter(store, commit);
            using MadeBundle made = writer.Make(plan[number]);
            bundles[number] = new Descriptor(MediaType.Bundle, made.Name.Digest, made.Name.Length);
            frames[number] = made.Frames;
            SendUnlessThere(bundles[number], () => made.File);
            plan[number].ForEach(frame => frame.ForEach(blob => progress?.Add(blob.Size)));
        });
        byte[] index = Index(plan, bundles, frames);
        var indexDescriptor = Descriptor.Of(MediaType.Index, index);
        SendUnlessThere(indexDescriptor, () => new MemoryStream(index));
        return new Generation(SendPack(trees, text), indexDescriptor, bundles);
    }

    /// <summary>Sends a blob unless the remote has it.</summary>
    internal void SendUnlessThere(Descriptor blob, Func<Stream> open)
    {
        if (!remote.Has(blob))
        {
            remote.Send(blob, open());
        }
    }

    private static byte[] Index(List<List<List<SentBlob>>> plan, Descriptor[] bundles, IReadOnlyList<Frame>[] frames)
    {
        var allFrames = new List<Frame>();
        var blobs = new List<(Digest, BlobPlace)>();
        for (int bundle = 0; bundle < plan.Count; bundle++)
        {
            for (int frame = 0; frame < plan[bundle].Count; frame++)
            {
                int offset = 0;
                foreach (SentBlob blob in plan[bundle][frame])
                {
                    blobs.Add((blob.Digest, new BlobPlace(allFrames.Count, offset)));
                    offset += plan[bundle][frame].Count > 1 ? (int)blob.Size : 0;
                }

                allFrames.Add(frames[bundle][frame] with { Bundle = bundle });
            }
        }

        return BundleIndex.Encode([.. bundles.Select(bundle => new BundleName(bundle.Digest, bundle.Size))], allFrames, blobs);
    }

    private Descriptor SendPack(IReadOnlyList<Digest> trees, Commit text)
    {
        using var scratch = new ScratchPack(store);
        scratch.Pack.Add(text);
        foreach (Digest tree in trees)
        {
            scratch.Pack.Add(PackedKind.Tree, tree, store.Packs.ReadTree(tree).Bytes);
        }

        (Microsoft.Win32.SafeHandles.SafeFileHandle handle, Digest name) = scratch.Complete();
        using var file = new FileStream(handle, FileAccess.Read, bufferSize: 0);
        var pack = new Descriptor(MediaType.Pack, name, file.Length);
        SendUnlessThere(pack, () => file);
        return pack;
    }
}
