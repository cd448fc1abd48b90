namespace HackTree.Boot;

/// <summary>
/// Unpacks one compressed stream of a file in which more may follow. When <see cref="Read"/> has answered 0, the file stands right
/// behind the stream; decoders that read ahead set it back. That is how the next segment is found.
/// </summary>
internal abstract class Decoder : IDisposable
{
    /// <summary>Reads at least one byte; 0 at the end of the stream.</summary>
    internal abstract int Read(Span<byte> buffer);

    public virtual void Dispose() => GC.SuppressFinalize(this);

    /// <summary>What a decoder says of its input; <see cref="ByteInput"/> makes the sentence.</summary>
    protected static void Require(bool isRight)
    {
        if (!isRight)
        {
            throw new InvalidDataException();
        }
    }
}

/// <summary>A stream that takes from the file just the bytes that are its own.</summary>
internal sealed class StreamDecoder(Stream stream) : Decoder
{
    internal override int Read(Span<byte> buffer) => stream.Read(buffer);
}
