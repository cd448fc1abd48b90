namespace HackTree.Transfer;

/// <summary>
/// Reads a part of a blob from front to back, over as many connections as it takes: when one is lost, the next one goes on at the byte where it was.
/// </summary>
public sealed class BlobReader : IDisposable
{
    private readonly Remote remote;
    private readonly Descriptor blob;
    private readonly Retry retry;
    private BlobPart part;

    internal BlobReader(Remote remote, Descriptor blob, long offset, long length)
    {
        this.remote = remote;
        this.blob = blob;
        retry = new Retry(e => remote.Broken(blob, e), remote.Stop);
        part = remote.OpenPart(blob, offset, length);
        (Position, End) = (part.Position, part.End);
    }

    /// <summary>The offset in the blob of the next byte. A remote that gives whole blobs only begins at 0.</summary>
    public long Position { get; private set; }

    /// <summary>The offset in the blob at which this ends.</summary>
    public long End { get; }

    /// <summary>Reads some bytes, at least one. Throws <see cref="Store.StoreException"/> if the remote cannot give them.</summary>
    public int Read(Span<byte> buffer)
    {
        while (true)
        {
            try
            {
                part.SkipTo(Position);
                int count = part.Read(buffer);
                Position += count;
                retry.Progressed();
                return count;
            }
            catch (Exception e) when (Retry.IsTransient(e))
            {
                part.Dispose();
                retry.Failed(e);
                part = remote.OpenPart(blob, Position, End - Position);
            }
        }
    }

    /// <summary>Fills the buffer. Throws as <see cref="Read"/> does.</summary>
    public void Fill(Span<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            buffer = buffer[Read(buffer)..];
        }
    }

    /// <summary>Goes on at an offset. What is before it is forgotten.</summary>
    public void SkipTo(long target) => Position = Math.Max(Position, target);

    /// <inheritdoc/>
    public void Dispose() => part.Dispose();
}
