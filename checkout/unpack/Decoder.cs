namespace HackTree.Checkout;

/// <summary>
/// Unpacks one compressed stream of a file in which more may follow. Once <see cref="Read"/> has returned 0, the file's position is right
/// behind the stream, so that the next segment can be found. A decoder that reads ahead sets the position back.
/// </summary>
public abstract class Decoder : IDisposable
{
    /// <summary>
    /// Why the kernel would refuse the stream although it is undamaged, as the end of a sentence; null if it would not. Complete when the stream
    /// was read to its end.
    /// </summary>
    public virtual string? KernelFault => null;

    /// <summary>Reads at least one byte. Returns 0 at the end of the stream.</summary>
    public abstract int Read(Span<byte> buffer);

    /// <summary>
    /// After <see cref="Read"/> has returned 0: goes on with a further frame that the kernel counts to the same stream. False if there is none.
    /// </summary>
    public virtual bool TryGoOn() => false;

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);

    /// <summary>Throws if the input is damaged. The caller makes the sentence.</summary>
    protected static void Require(bool isRight)
    {
        if (!isRight)
        {
            throw new InvalidDataException();
        }
    }
}

/// <summary>A stream is undamaged, but HackTree cannot read it. The message is the end of a sentence that says why.</summary>
public sealed class UnreadableFormatException(string message) : Exception(message);

/// <summary>A decoder on a stream that reads no byte of the file beyond its own end.</summary>
public sealed class StreamDecoder(Stream stream) : Decoder
{
    /// <inheritdoc/>
    public override int Read(Span<byte> buffer) => stream.Read(buffer);
}
