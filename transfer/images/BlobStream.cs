using HackTree.Checkout;

namespace HackTree.Transfer;

/// <summary>A whole blob as a stream, over as many connections as it takes. Nothing of it is checked.</summary>
internal sealed class BlobStream(Remote remote, Descriptor blob) : ReadOnlyStream
{
    // The first request is sent when something is read.
    private BlobReader? reader;

    public override int Read(Span<byte> buffer)
    {
        if (blob.Size == 0 || buffer.IsEmpty)
        {
            return 0;
        }

        reader ??= remote.Open(blob, 0, blob.Size);
        long left = blob.Size - reader.Position;
        return left == 0 ? 0 : reader.Read(buffer[..(int)Math.Min(buffer.Length, left)]);
    }

    protected override void Dispose(bool disposing)
    {
        reader?.Dispose();
        base.Dispose(disposing);
    }
}
