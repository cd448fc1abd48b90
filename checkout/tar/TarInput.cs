namespace HackTree.Checkout;

/// <summary>Reads an archive front to back through a buffer, because a header is only 512 bytes and each read is a system call.</summary>
internal sealed class TarInput(Stream stream)
{
    private readonly byte[] buffer = new byte[64 * 1024];
    private int start;
    private int end;

    /// <summary>The number of bytes that were read or skipped.</summary>
    internal long Position { get; private set; }

    /// <summary>Reads the bytes that are available: at least one, unless the input has ended.</summary>
    internal int Read(Span<byte> target)
    {
        int count;
        if (start == end && target.Length >= buffer.Length)
        {
            count = stream.Read(target);
        }
        else
        {
            if (start == end && !target.IsEmpty)
            {
                start = 0;
                end = stream.Read(buffer);
            }

            count = Math.Min(target.Length, end - start);
            buffer.AsSpan(start, count).CopyTo(target);
            start += count;
        }

        Position += count;
        return count;
    }

    /// <summary>Reads until <paramref name="target"/> is full. Reads fewer bytes only at the end of the input.</summary>
    internal int ReadFully(Span<byte> target)
    {
        int done = 0;
        while (done < target.Length && Read(target[done..]) is > 0 and var count)
        {
            done += count;
        }

        return done;
    }

    /// <summary>The next bytes, which stay in the input. Fewer than <paramref name="count"/> only if the input ends. At most 64 KiB.</summary>
    internal ReadOnlySpan<byte> Peek(int count)
    {
        buffer.AsSpan(start, end - start).CopyTo(buffer);
        (start, end) = (0, end - start);
        while (end < count && stream.Read(buffer, end, buffer.Length - end) is > 0 and var more)
        {
            end += more;
        }

        return buffer.AsSpan(0, Math.Min(count, end));
    }

    /// <summary>Skips bytes; false if the input ends before.</summary>
    internal bool Skip(long count)
    {
        // The bytes are read, because a seek past the end of a shortened file would succeed.
        while (count > 0)
        {
            if (start == end)
            {
                start = 0;
                end = stream.Read(buffer);
            }

            int step = (int)Math.Min(count, end - start);
            if (step == 0)
            {
                return false;
            }

            start += step;
            Position += step;
            count -= step;
        }

        return true;
    }
}
