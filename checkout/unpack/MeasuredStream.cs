using System.Security.Cryptography;
using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>Passes a stream on while it is read, and computes the SHA-256 of all of its bytes. A stream that is longer than allowed is refused.</summary>
/// <param name="stream">The stream. It stays open.</param>
/// <param name="maxLength">The most bytes it may have.</param>
/// <param name="fault">What is wrong with a longer one, as the end of a sentence.</param>
public sealed class MeasuredStream(Stream stream, long maxLength, string fault) : ReadOnlyStream
{
    private readonly IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long left = maxLength;

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        int count = stream.Read(buffer);
        hash.AppendData(buffer[..count]);
        left -= count;
        return left >= 0 ? count : throw new TarException(fault);
    }

    /// <summary>Reads what is left, and returns the digest of the whole. Called once.</summary>
    public Digest Finish(CancellationToken stop)
    {
        byte[] buffer = new byte[64 * 1024];
        while (Read(buffer) > 0)
        {
            stop.ThrowIfCancellationRequested();
        }

        return new Digest(hash.GetHashAndReset());
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        hash.Dispose();
        base.Dispose(disposing);
    }
}
