using System.Buffers;
using HackTree.Model;
using HackTree.Store;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace HackTree.Transfer;

/// <summary>
/// Decompresses frames that come from elsewhere, and makes objects of the blobs in them. A blob gets a name in the store only if it has its digest. Not
/// thread-safe.
/// </summary>
/// <param name="additions">What the objects are added to.</param>
/// <param name="wrong">Makes the failure of what the frames are in, of a fault.</param>
/// <param name="progress">Counts the blobs.</param>
internal sealed class FrameReader(Additions additions, Func<string, CorruptException> wrong, Progress? progress) : IDisposable
{
    // A frame up to this length is decompressed in memory.
    private const int InMemory = 8 * 1024 * 1024;
    private const int MaxWindowLog = 27;

    private readonly Decompressor decompressor = NewDecompressor();

    /// <summary>
    /// Makes the objects of blobs in a frame. A longer frame than 1 MiB holds one blob.
    /// Throws <see cref="CorruptException"/> if something is wrong with it.
    /// </summary>
    /// <param name="stored">The frame's bytes come next in it.</param>
    /// <param name="storedLength">Their number.</param>
    /// <param name="rawLength">The length that they must have after decompression.</param>
    /// <param name="blobs">The blobs, each with its offset in the raw bytes.</param>
    internal void Add(Stream stored, long storedLength, long rawLength, IReadOnlyList<(int Offset, LackingBlob Blob)> blobs)
    {
        try
        {
            if (rawLength <= InMemory && storedLength <= InMemory)
            {
                AddShort(decompressor, stored, (int)storedLength, (int)rawLength, blobs);
            }
            else
            {
                AddLong(stored, storedLength, rawLength, blobs[0].Blob);
            }
        }
        catch (Exception e) when (IsOfFrame(e))
        {
            throw wrong($"a frame in it does not decompress ({e.Message})");
        }
    }

    /// <summary>Makes the objects of the one blob in a frame that is decompressed with a base. Throws as <see cref="Add"/> does.</summary>
    internal void AddPatched(Stream stored, int storedLength, byte[] old, LackingBlob blob)
    {
        try
        {
            using Decompressor patcher = NewDecompressor();
            patcher.LoadDictionary(old);
            AddShort(patcher, stored, storedLength, (int)blob.Size, [(0, blob)]);
        }
        catch (Exception e) when (IsOfFrame(e))
        {
            throw wrong($"a frame in it does not decompress with its base ({e.Message})");
        }
    }

    public void Dispose() => decompressor.Dispose();

    private void AddShort(Decompressor with, Stream stored, int storedLength, int rawLength, IReadOnlyList<(int Offset, LackingBlob Blob)> blobs)
    {
        byte[] bytes = ArrayPool<byte>.Shared.Rent(storedLength);
        byte[] raw = ArrayPool<byte>.Shared.Rent(rawLength);
        try
        {
            Span<byte> input = bytes.AsSpan(0, storedLength), output = raw.AsSpan(0, rawLength);
            stored.ReadExactly(input);
            RequireLength(with.Unwrap(input, output), output.Length);
            foreach ((int offset, LackingBlob blob) in blobs)
            {
                RequireLength(Math.Min(blob.Size, output.Length - offset), blob.Size);
                AddContent(blob, output.Slice(offset, (int)blob.Size));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
            ArrayPool<byte>.Shared.Return(raw);
        }
    }

    private void AddContent(LackingBlob blob, ReadOnlySpan<byte> content)
    {
        foreach (LackingObject made in blob.Objects)
        {
            try
            {
                RequireContent(blob, additions.AddBytes(content, made.Metadata, made.Xattrs, leaveHoles: true, blob.Digest));
            }
            catch (UnheldException e)
            {
                throw Unheld(blob, e);
            }
        }

        progress?.Add(blob.Size);
    }

    /// <summary>Decompresses a long blob, which has its frame for itself, straight into its object.</summary>
    private void AddLong(Stream stored, long storedLength, long rawLength, LackingBlob blob)
    {
        RequireLength(rawLength, blob.Size);
        using var raw = new DecompressionStream(new Checkout.PartStream(stored, storedLength), NewDecompressor(), preserveDecompressor: false);
        LackingObject first = blob.Objects[0];
        try
        {
            Digest digest = additions.AddStream(piece => Fill(raw, piece), blob.Size, first.Metadata, first.Xattrs, blob.Digest, leaveHoles: true);
            RequireContent(blob, digest);
            blob.AddOthers(additions);
        }
        catch (UnheldException e)
        {
            throw Unheld(blob, e);
        }

        progress?.Add(blob.Size);
    }

    private void Fill(DecompressionStream raw, Span<byte> piece)
    {
        while (!piece.IsEmpty)
        {
            int count = raw.Read(piece);
            RequireLength(count > 0 ? 1 : 0, 1);
            piece = piece[count..];
        }
    }

    private void RequireLength(long length, long expected)
    {
        if (length != expected)
        {
            throw wrong("a frame in it has another length than is said before");
        }
    }

    private void RequireContent(LackingBlob blob, Digest digest)
    {
        if (digest != blob.Digest)
        {
            throw wrong($"what it has as {ByteText.Quote(blob.Path)} is something else than the commit's file");
        }
    }

    // A frame that is cut short: what it is read from ends with an exception of its own.
    private static bool IsOfFrame(Exception e) => e is ZstdException or EndOfStreamException;

    private static UnheldException Unheld(LackingBlob blob, UnheldException e) => new(ByteText.Quote(blob.Path), e.Unheld, isCommit: false);

    private static Decompressor NewDecompressor()
    {
        var made = new Decompressor();
        made.SetParameter(ZSTD_dParameter.ZSTD_d_windowLogMax, MaxWindowLog);
        return made;
    }
}
