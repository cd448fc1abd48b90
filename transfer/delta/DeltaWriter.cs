using System.Numerics;
using System.Security.Cryptography;
using HackTree.Model;
using HackTree.Store;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace HackTree.Transfer;

/// <summary>A delta that was made, in a file without a name.</summary>
/// <param name="File">The file, at its beginning.</param>
/// <param name="Head">What stands at its beginning.</param>
internal sealed record MadeDelta(FileStream File, DeltaHead Head) : IDisposable
{
    /// <summary>What it is on a remote. Reads the file.</summary>
    internal Descriptor Describe()
    {
        var digest = new Digest(SHA256.HashData(File));
        File.Position = 0;
        return new Descriptor(MediaType.Delta, digest, File.Length);
    }

    public void Dispose() => File.Dispose();
}

/// <summary>
/// Makes one delta (transfer/FORMAT.md, section 7). A blob that most likely was made from an old one is compressed with that as its base, as zstd's
/// --patch-from does. The others are compressed as in bundles.
/// </summary>
internal sealed class DeltaWriter
{
    // The lowest of zstd's levels that still finds the beginning of a base of 20 MB when it comes to the end.
    private const int PatchLevel = 12;

    // A quick one: it only tells what the base saves.
    private const int PlainLevel = 3;
    private const double WorthPatch = 0.7;
    private const double WorthDelta = 0.7;

    // Patches are kept in memory until those of so many raw bytes are made.
    private const long BatchSize = 64 * 1024 * 1024;

    private readonly ObjectStore store;
    private readonly SentContent? old;
    private readonly SentContent content;
    private readonly List<SentBlob> fresh;
    private readonly List<(SentBlob Blob, SentBlob Base)> candidates = [];
    private readonly List<DeltaFrame> frames = [];
    private long plainLength;

    private DeltaWriter(ObjectStore store, SentContent? old, SentContent content, Func<Digest, bool> isWanted)
    {
        (this.store, this.old, this.content) = (store, old, content);
        fresh = [.. content.Blobs.Where(blob => isWanted(blob.Digest))];
        var bases = new DeltaBases(old?.Blobs ?? []);
        foreach (SentBlob blob in fresh)
        {
            if (bases.Find(blob) is { } before)
            {
                candidates.Add((blob, before));
            }
        }
    }

    /// <summary>Makes a delta between two commits that the store has, with the signatures that the store has.</summary>
    internal static MadeDelta Make(ObjectStore store, Digest from, Digest to) =>
        Between(store, SentContent.Of(store, from), SentContent.Of(store, to)).Make(CommitSignatures.Text(CommitSignatures.Find(store, to)));

    /// <summary>Makes the part of a delta that is no files: the commit and its trees that the old one does not have. There may be no old one.</summary>
    internal static MadeDelta MakeTrees(ObjectStore store, SentContent? old, SentContent content)
    {
        using var pack = SentPack.Make(store, content, old);
        return Join(store, new DeltaHead(old?.Digest ?? default, content.Digest, pack.Descriptor.Size, [], []), pack.File);
    }

    /// <summary>Makes the part of a delta that is files, as far as they are wanted. There may be no old commit.</summary>
    internal static MadeDelta MakeBlobs(ObjectStore store, SentContent? old, SentContent content, HashSet<Digest> wanted)
    {
        var writer = new DeltaWriter(store, old, content, wanted.Contains);
        using FileStream body = ScratchFile.Open(store);
        writer.WriteFrames(body);
        body.Position = 0;
        return Join(store, new DeltaHead(old?.Digest ?? default, content.Digest, 0, writer.frames, []), body);
    }

    /// <summary>Makes a delta if it has less than 70 % of the bytes that it stands for; else null.</summary>
    internal static MadeDelta? TryMake(ObjectStore store, SentContent old, SentContent content)
    {
        DeltaWriter writer = Between(store, old, content);
        if (writer.candidates.Sum(each => each.Blob.Size) < (1 - WorthDelta) * writer.fresh.Sum(blob => blob.Size))
        {
            return null;
        }

        MadeDelta made = writer.Make([]);
        if (made.File.Length < WorthDelta * writer.plainLength)
        {
            return made;
        }

        made.Dispose();
        return null;
    }

    private static DeltaWriter Between(ObjectStore store, SentContent old, SentContent content)
    {
        HashSet<Digest> there = [.. old.Blobs.Select(blob => blob.Digest)];
        return new DeltaWriter(store, old, content, digest => !there.Contains(digest));
    }

    private MadeDelta Make(byte[] signatures)
    {
        using FileStream body = ScratchFile.Open(store);
        WriteFrames(body);
        body.Position = 0;
        using var pack = SentPack.Make(store, content, old);
        plainLength += pack.Descriptor.Size;
        return Join(store, new DeltaHead(old!.Digest, content.Digest, pack.Descriptor.Size, frames, signatures), pack.File, body);
    }

    /// <summary>Writes a head and the parts behind it to one file.</summary>
    private static MadeDelta Join(ObjectStore store, DeltaHead head, params ReadOnlySpan<FileStream> parts)
    {
        FileStream file = ScratchFile.Open(store);
        try
        {
            file.Write(head.Encode());
            foreach (FileStream part in parts)
            {
                part.CopyTo(file);
            }

            file.Position = 0;
            return new MadeDelta(file, head);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private void WriteFrames(FileStream body)
    {
        HashSet<Digest> patched = WritePatches(body);
        WriteOthers([.. fresh.Where(blob => !patched.Contains(blob.Digest))], body);
    }

    /// <summary>Writes those candidates that a base makes shorter. Returns them.</summary>
    private HashSet<Digest> WritePatches(FileStream body)
    {
        HashSet<Digest> patched = [];
        for (int first = 0, end; first < candidates.Count; first = end)
        {
            long size = 0;
            for (end = first; end < candidates.Count && (end == first || size + candidates[end].Blob.Size <= BatchSize); end++)
            {
                size += candidates[end].Blob.Size;
            }

            (byte[]? Patch, int Plain)[] made = ParallelMap.RunLong(candidates[first..end], each => Patch(each.Blob, each.Base), store.Stop);
            for (int i = first; i < end; i++)
            {
                if (made[i - first] is ({ } patch, int plain))
                {
                    (SentBlob blob, SentBlob from) = candidates[i];
                    body.Write(patch);
                    frames.Add(new DeltaFrame(from.Digest, from.Size, patch.Length, blob.Size, [(blob.Digest, 0)]));
                    plainLength += plain;
                    _ = patched.Add(blob.Digest);
                }
            }
        }

        return patched;
    }

    /// <summary>Compresses a blob with a base, and without one. No patch if the base saves too little.</summary>
    private (byte[]? Patch, int Plain) Patch(SentBlob blob, SentBlob from)
    {
        byte[] before = store.Blobs.ReadAll(from.Entry, PlaceOf(from, old!.Digest)), raw = store.Blobs.ReadAll(blob.Entry, PlaceOf(blob, content.Digest));
        if (DeltaFile.LooksLikeDictionary(before))
        {
            return default;
        }

        using var plain = new Compressor(PlainLevel);
        using var compressor = new Compressor(PatchLevel);
        int window = BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)(before.Length + raw.Length)));
        compressor.SetParameter(ZSTD_cParameter.ZSTD_c_windowLog, window);
        compressor.LoadDictionary(before);
        Span<byte> patch = compressor.Wrap(raw);
        int plainLength = plain.Wrap(raw).Length;
        return (patch.Length < WorthPatch * plainLength ? patch.ToArray() : null, plainLength);
    }

    private void WriteOthers(IReadOnlyList<SentBlob> others, FileStream body)
    {
        using var writer = new BundleWriter(store, content.Digest);
        foreach (List<List<SentBlob>> bundle in BundlePlan.Of(others))
        {
            using MadeBundle made = writer.Make(bundle);
            made.File.CopyTo(body);
            plainLength += made.Name.Length;
            frames.AddRange(bundle.Zip(
                made.Frames, (frame, place) => new DeltaFrame(default, 0, place.StoredLength, place.RawLength, BundlePlan.OffsetsOf(frame))));
        }
    }

    private static CommitFile PlaceOf(SentBlob blob, Digest commit) => new(commit, () => ByteText.Quote(blob.Path));
}
