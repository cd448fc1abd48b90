namespace HackTree.Transfer;

/// <summary>
/// A part of a blob over one connection, read from front to back. It may begin before the bytes that were asked for, and end behind them.
/// </summary>
/// <param name="remote">The remote, which counts the bytes.</param>
/// <param name="stream">The bytes.</param>
/// <param name="offset">The offset of the stream's first byte in the blob.</param>
/// <param name="end">The offset in the blob at which the stream should end.</param>
public sealed class BlobPart(Remote remote, Stream stream, long offset, long end) : IDisposable
{
    /// <summary>The offset in the blob of the next byte.</summary>
    public long Position { get; private set; } = offset;

    /// <summary>The offset in the blob at which the part ends.</summary>
    public long End => end;

    /// <summary>Reads some bytes, at least one. Throws <see cref="EndOfStreamException"/> at the end of the stream.</summary>
    public int Read(Span<byte> buffer)
    {
        int count = stream.Read(buffer);
        if (count == 0)
        {
            throw new EndOfStreamException("it ends early");
        }

        Position += count;
        remote.CountBytes(count);
        return count;
    }

    /// <summary>Reads and forgets what is before an offset.</summary>
    public void SkipTo(long target)
    {
        byte[] buffer = target > Position ? new byte[Math.Min(64 * 1024, target - Position)] : [];
        while (Position < target)
        {
            Read(buffer.AsSpan(0, (int)Math.Min(buffer.Length, target - Position)));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => stream.Dispose();
}
