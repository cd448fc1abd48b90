using System.Buffers;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace HackTree.Transfer;

/// <summary>
/// Fetches what a plan says, and makes objects of it. One worker does one bundle after the other, and there are as many workers as connections.
/// A blob gets a name in the store only if it has its digest.
/// </summary>
internal sealed class Fetch(Additions additions, Remote remote, Progress? progress)
{
    private const int Connections = 8;

    // A blob up to this length is decompressed in memory.
    private const int InMemory = 8 * 1024 * 1024;
    private const int MaxWindowLog = 27;

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
        using Decompressor decompressor = NewDecompressor();
        for (int next = 0; next < bundle.Frames.Count;)
        {
            (long offset, long length) = bundle.RangeFrom(next);
            using BlobReader reader = remote.Open(bundle.Bundle, offset, length);
            while (next < bundle.Frames.Count && bundle.Frames[next].Frame.End <= reader.End)
            {
                reader.SkipTo(bundle.Frames[next].Frame.Offset);
                Read(bundle, bundle.Frames[next], reader, decompressor);
                next++;
            }
        }
    }

    private void Read(BundleFetch bundle, FrameFetch fetch, BlobReader reader, Decompressor decompressor)
    {
        stop.ThrowIfCancellationRequested();
        try
        {
            if (fetch.Frame.RawLength <= InMemory && fetch.Frame.StoredLength <= InMemory)
            {
                AddShort(bundle, fetch, reader, decompressor);
            }
            else
            {
                AddLong(bundle, fetch, reader);
                reader.SkipTo(fetch.Frame.End);
            }
        }
        catch (ZstdException e)
        {
            throw remote.Wrong(bundle.Bundle, $"the frame at {fetch.Frame.Offset} does not decompress ({e.Message})");
        }
    }

    private void AddShort(BundleFetch bundle, FrameFetch fetch, BlobReader reader, Decompressor decompressor)
    {
        byte[] stored = ArrayPool<byte>.Shared.Rent((int)fetch.Frame.StoredLength);
        byte[] raw = ArrayPool<byte>.Shared.Rent((int)fetch.Frame.RawLength);
        try
        {
            Span<byte> input = stored.AsSpan(0, (int)fetch.Frame.StoredLength), output = raw.AsSpan(0, (int)fetch.Frame.RawLength);
            reader.Fill(input);
            RequireLength(bundle, decompressor.Unwrap(input, output), output.Length);
            foreach ((int offset, LackingBlob blob) in fetch.Blobs)
            {
                RequireLength(bundle, Math.Min(blob.Size, output.Length - offset), blob.Size);
                Add(bundle, blob, output.Slice(offset, (int)blob.Size));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(stored);
            ArrayPool<byte>.Shared.Return(raw);
        }
    }

    private void Add(BundleFetch bundle, LackingBlob blob, ReadOnlySpan<byte> content)
    {
        foreach (LackingObject made in blob.Objects)
        {
            try
            {
                RequireContent(bundle, blob, additions.AddBytes(content, made.Metadata, made.Xattrs, leaveHoles: true, blob.Digest));
            }
            catch (UnheldException e)
            {
                throw Unheld(blob, e);
            }
        }

        progress?.Add(blob.Size);
    }

    /// <summary>Decompresses a long blob, which has its frame for itself, straight into its object.</summary>
    private void AddLong(BundleFetch bundle, FrameFetch fetch, BlobReader reader)
    {
        LackingBlob blob = fetch.Blobs[0].Blob;
        RequireLength(bundle, fetch.Frame.RawLength, blob.Size);
        using var raw = new DecompressionStream(new PartStream(new PartReader(reader), fetch.Frame.StoredLength), NewDecompressor(), preserveDecompressor: false);
        LackingObject first = blob.Objects[0];
        try
        {
            Digest digest = additions.AddStream(piece => Fill(bundle, raw, piece), blob.Size, first.Metadata, first.Xattrs, blob.Digest, leaveHoles: true);
            RequireContent(bundle, blob, digest);
            foreach (LackingObject other in blob.Objects.Skip(1))
            {
                string path = ByteText.Quote(blob.Path);
                using SafeFileHandle file = additions.Store.Blobs.Open(blob.EntryOf(first), path, out Linux.FileStatus status);
                additions.AddFile(file, status, other.Metadata, other.Xattrs, new byte[Blobs.BufferSize], path, blob.Digest);
            }
        }
        catch (UnheldException e)
        {
            throw Unheld(blob, e);
        }

        progress?.Add(blob.Size);
    }

    private void Fill(BundleFetch bundle, DecompressionStream raw, Span<byte> piece)
    {
        while (!piece.IsEmpty)
        {
            int count = raw.Read(piece);
            RequireLength(bundle, count > 0 ? 1 : 0, 1);
            piece = piece[count..];
        }
    }

    private void RequireLength(BundleFetch bundle, long length, long expected)
    {
        if (length != expected)
        {
            throw remote.Wrong(bundle.Bundle, "a frame in it has another length than the index says");
        }
    }

    private void RequireContent(BundleFetch bundle, LackingBlob blob, Digest digest)
    {
        if (digest != blob.Digest)
        {
            throw remote.Wrong(bundle.Bundle, $"what it has as {ByteText.Quote(blob.Path)} is something else than the commit's file");
        }
    }

    private static UnheldException Unheld(LackingBlob blob, UnheldException e) => new(ByteText.Quote(blob.Path), e.Unheld, isCommit: false);

    private static Decompressor NewDecompressor()
    {
        var decompressor = new Decompressor();
        decompressor.SetParameter(ZSTD_dParameter.ZSTD_d_windowLogMax, MaxWindowLog);
        return decompressor;
    }

    /// <summary>A part of a blob as a stream.</summary>
    private sealed class PartReader(BlobReader reader) : ReadOnlyStream
    {
        public override int Read(Span<byte> buffer) => buffer.IsEmpty || reader.Position >= reader.End ? 0 : reader.Read(buffer);
    }
}
