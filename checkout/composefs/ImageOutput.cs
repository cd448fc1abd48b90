using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>The bytes of an image in order: they go to a receiver in pieces, and the image's fs-verity digest is made of them on the way.</summary>
internal sealed class ImageOutput(long size, ContentWriter receive)
{
    private readonly byte[] segment = new byte[(int)Math.Min(Verity.SegmentSize, size)];
    private readonly VerityTree tree = new(size);
    private byte[] piece = [];
    private int pieceLength;
    private int used;
    private long put;

    /// <summary>The number of bytes so far.</summary>
    internal long Position => put + pieceLength;

    /// <summary>
    /// Appends zeros and returns them, so that the caller can write there until the next call.
    /// </summary>
    internal Span<byte> Zeros(int length)
    {
        Flush();
        if (piece.Length < length)
        {
            piece = new byte[Math.Max(length, ErofsLayout.BlockSize)];
        }

        Span<byte> zeros = piece.AsSpan(0, length);
        zeros.Clear();
        pieceLength = length;
        return zeros;
    }

    /// <summary>Appends zeros up to a multiple of <paramref name="unit"/>.</summary>
    internal void Align(int unit)
    {
        Zeros((int)(ErofsLayout.RoundUp(Position, unit) - Position));
    }

    internal void Append(ReadOnlySpan<byte> bytes)
    {
        Flush();
        Put(bytes);
    }

    /// <summary>The digest, once all bytes were appended.</summary>
    internal Digest Finish()
    {
        Flush();
        if (Position != size)
        {
            throw new InvalidOperationException($"an image of {Position} bytes was placed as {size}");
        }

        if (used > 0)
        {
            EndSegment();
        }

        return tree.Finish();
    }

    private void Flush()
    {
        int length = pieceLength;
        pieceLength = 0;
        Put(piece.AsSpan(0, length));
    }

    private void Put(ReadOnlySpan<byte> bytes)
    {
        put += bytes.Length;
        while (!bytes.IsEmpty)
        {
            int length = Math.Min(bytes.Length, segment.Length - used);
            bytes[..length].CopyTo(segment.AsSpan(used));
            used += length;
            bytes = bytes[length..];
            if (used == segment.Length)
            {
                EndSegment();
            }
        }
    }

    private void EndSegment()
    {
        Span<byte> hash = stackalloc byte[Digest.Size];
        Verity.HashSegment(segment.AsSpan(0, used), size, hash);
        tree.Append(hash);
        receive(segment.AsSpan(0, used));
        used = 0;
    }
}
