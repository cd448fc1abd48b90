namespace HackTree.Checkout;

/// <summary>
/// A stream that is read front to back, through a buffer. It tells how far it was read, and shows the next bytes without taking them.
/// </summary>
internal sealed class PackedInput(Stream stream) : ReadOnlyStream
{
    private readonly byte[] buffer = new byte[64 * 1024];
    private int start;
    private int end;
    private long position;

    /// <summary>The number of bytes that were read.</summary>
    public override long Position
    {
        get => position;
        set => throw new NotSupportedException();
    }

    /// <summary>The next bytes: fewer than <paramref name="count"/> only if the stream ends.</summary>
    internal ReadOnlySpan<byte> Peek(int count)
    {
        buffer.AsSpan(start, end - start).CopyTo(buffer);
        (start, end) = (0, end - start);
        while (end < count && stream.Read(buffer, end, buffer.Length - end) is > 0 and int more)
        {
            end += more;
        }

        return buffer.AsSpan(0, Math.Min(count, end));
    }

    public override int Read(Span<byte> target)
    {
        int count;
        if (start == end && target.Length >= buffer.Length)
        {
            count = stream.Read(target);
        }
        else
        {
            count = Math.Min(target.Length, target.IsEmpty || Fill() ? end - start : 0);
            buffer.AsSpan(start, count).CopyTo(target);
            start += count;
        }

        position += count;
        return count;
    }

    public override int ReadByte()
    {
        if (!Fill())
        {
            return -1;
        }

        position++;
        return buffer[start++];
    }

    private bool Fill()
    {
        if (start == end)
        {
            start = 0;
            end = stream.Read(buffer);
        }

        return start < end;
    }
}
