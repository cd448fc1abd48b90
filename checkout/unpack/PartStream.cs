namespace HackTree.Checkout;

/// <summary>
/// The next bytes of a file, as if the file ended after them. A strict stream throws when more bytes are read than there are: SharpCompress's
/// decoders take the -1 at the end of a file for a byte, and would never stop.
/// </summary>
public sealed class PartStream(Stream file, long length, bool isStrict = false) : ReadOnlyStream
{
    private long remaining = length;

    /// <summary>The rest of a file or of a pipe, as a strict stream.</summary>
    public static PartStream Rest(Stream file) => new(file, file.CanSeek ? file.Length - file.Position : long.MaxValue, isStrict: true);

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        int count = file.Read(buffer[..(int)Math.Min(buffer.Length, remaining)]);
        remaining -= count;
        return count > 0 || buffer.IsEmpty || !isStrict ? count : throw new EndOfStreamException();
    }

    /// <inheritdoc/>
    public override int ReadByte()
    {
        int value = remaining > 0 ? file.ReadByte() : -1;
        remaining -= value >= 0 ? 1 : 0;
        return value >= 0 || !isStrict ? value : throw new EndOfStreamException();
    }
}
