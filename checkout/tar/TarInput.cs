namespace HackTree.Checkout;

/// <summary>The bytes of an archive, front to back, through a buffer: a header is 512 bytes, and a read is a system call.</summary>
internal sealed class TarInput(Stream stream)
{
    private readonly byte[] buffer = new byte[64 * 1024];
    private int start;
    private int end;

    /// <summary>How many bytes were taken.</summary>
    internal long Position { get; private set; }

    /// <summary>Reads what is there, at least one byte unless the input has ended.</summary>
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

    /// <summary>Reads until <paramref name="target"/> is full; fewer bytes only where the input ends.</summary>
    internal int ReadFully(Span<byte> target)
    {
        int done = 0;
        while (done < target.Length && Read(target[done..]) is > 0 and var count)
        {
            done += count;
        }

        return done;
    }

    /// <summary>Passes over bytes; false where the input ends before.</summary>
    internal bool Skip(long count)
    {
        // A read, not a seek: a seek past the end of a file that was cut short would succeed.
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
