namespace HackTree.Boot;

/// <summary>
/// The next bytes of a file, as if the file ended after them. A strict stream throws when more bytes are read than there are: SharpCompress's
/// decoders take the -1 at the end of a file for a byte, and would never stop.
/// </summary>
internal sealed class PartStream(Stream file, long length, bool isStrict = false) : Stream
{
    private long remaining = length;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>The rest of a file, as a strict stream.</summary>
    internal static PartStream Rest(Stream file) => new(file, file.Length - file.Position, isStrict: true);

    public override int Read(Span<byte> buffer)
    {
        int count = file.Read(buffer[..(int)Math.Min(buffer.Length, remaining)]);
        remaining -= count;
        return count > 0 || buffer.IsEmpty || !isStrict ? count : throw new EndOfStreamException();
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int ReadByte()
    {
        int value = remaining > 0 ? file.ReadByte() : -1;
        remaining -= value >= 0 ? 1 : 0;
        return value >= 0 || !isStrict ? value : throw new EndOfStreamException();
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
