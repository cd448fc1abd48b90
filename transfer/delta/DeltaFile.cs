using System.Security.Cryptography;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// A delta that is read (transfer/FORMAT.md, section 7): a source of trees and blobs for who has the old commit. Nothing in it is trusted: trees and blobs
/// are compared with their digests. Not thread-safe.
/// </summary>
internal sealed class DeltaFile : IDisposable
{
    private readonly FileStream file;
    private readonly Func<string, CorruptException> wrong;

    private DeltaFile(FileStream file, DeltaHead head, Func<string, CorruptException> wrong) => (this.file, Head, this.wrong) = (file, head, wrong);

    /// <summary>What the delta is between, and what is where.</summary>
    internal DeltaHead Head { get; }

    /// <summary>
    /// Reads the beginning. Throws what <paramref name="wrong"/> makes of a fault if it is no delta. Takes over the file.
    /// </summary>
    internal static DeltaFile Open(FileStream file, Func<string, CorruptException> wrong)
    {
        try
        {
            string error = "it is no regular file";
            return new DeltaFile(file, (file.CanSeek ? DeltaHead.TryRead(file, out error) : null) ?? throw wrong(error), wrong);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Whether zstd would take a base for a dictionary of its own format (RFC 8878, section 5), which is no base.</summary>
    internal static bool LooksLikeDictionary(ReadOnlySpan<byte> content) => content.StartsWith((ReadOnlySpan<byte>)[0x37, 0xA4, 0x30, 0xEC]);

    /// <summary>Lets this process read the delta's trees and its commit, until the store is closed.</summary>
    internal void AttachPack(ObjectStore store)
    {
        if (Head.PackLength == 0)
        {
            throw wrong("it has no trees");
        }

        FileStream pack = ScratchFile.Open(store);
        try
        {
            file.Position = Head.Length;
            new PartStream(file, Head.PackLength).CopyTo(pack);
            pack.Position = 0;
            store.Packs.Attach(pack.SafeFileHandle, new Digest(SHA256.HashData(pack)), wrong("").Subject);
        }
        catch
        {
            pack.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Makes the objects that are lacking and that the delta has. A blob whose objects were made is taken out of <paramref name="lacking"/>. Throws
    /// <see cref="StoreException"/> if a base is not in the store or something in the delta is wrong; what was made before stays made.
    /// </summary>
    internal void Add(Additions additions, StoredContent old, Dictionary<Digest, LackingBlob> lacking, Progress? progress)
    {
        using var frames = new FrameReader(additions, wrong, progress);
        long position = Head.Length + Head.PackLength;
        foreach (DeltaFrame frame in Head.Frames)
        {
            additions.Store.Stop.ThrowIfCancellationRequested();
            List<(int, LackingBlob)> wanted = [];
            foreach ((Digest digest, int offset) in frame.Blobs)
            {
                if (lacking.TryGetValue(digest, out LackingBlob? blob))
                {
                    wanted.Add((offset, blob));
                }
            }

            if (wanted.Count > 0)
            {
                file.Position = position;
                Add(frames, frame, wanted, old);
                wanted.ForEach(each => lacking.Remove(each.Item2.Digest));
            }

            position += frame.StoredLength;
        }
    }

    public void Dispose() => file.Dispose();

    private void Add(FrameReader frames, DeltaFrame frame, List<(int, LackingBlob Blob)> wanted, StoredContent old)
    {
        if (!frame.HasBase)
        {
            frames.Add(file, frame.StoredLength, frame.RawLength, wanted);
            return;
        }

        LackingBlob blob = wanted[0].Blob;
        byte[]? content = blob.Size == frame.RawLength ? old.TryRead(frame.Base, frame.BaseLength) : null;
        if (content is null)
        {
            throw wrong($"what it has as {ByteText.Quote(blob.Path)} is made of something else than a file of commit {Head.From.ToShortString()}");
        }

        frames.AddPatched(file, (int)frame.StoredLength, content, blob);
    }
}
