using System.Diagnostics.CodeAnalysis;
using HackTree.Checkout;
using HackTree.Linux;

namespace HackTree.Boot;

/// <summary>The unpacked bytes of one segment, buffered and counted. Turns a decoder's exceptions into sentences for the user.</summary>
internal sealed class ByteInput(Decoder decoder, string subject, CancellationToken stop)
{
    /// <summary>More than any machine unpacks at its start. A few packed megabytes could otherwise unpack for hours.</summary>
    private const long MaxLength = 8L * 1024 * 1024 * 1024;

    private readonly byte[] buffer = GC.AllocateUninitializedArray<byte>(64 * 1024);
    private int at;
    private int end;

    /// <summary>The number of bytes that were read or skipped.</summary>
    internal long Position { get; private set; }

    /// <summary>Reads until the span is full or the segment ends.</summary>
    internal int Read(Span<byte> bytes)
    {
        int done = 0;
        while (done < bytes.Length && Fill())
        {
            int count = Math.Min(bytes.Length - done, end - at);
            buffer.AsSpan(at, count).CopyTo(bytes[done..]);
            Take(count);
            done += count;
        }

        return done;
    }

    /// <summary>Skips bytes, up to the end.</summary>
    internal void Skip(long count)
    {
        while (count > 0 && Fill())
        {
            int part = (int)Math.Min(count, end - at);
            Take(part);
            count -= part;
        }
    }

    /// <summary>
    /// Skips zeros between archives. Returns the byte that follows without reading it, or -1 at the end of the segment. A further frame at a
    /// multiple of 4 bytes is a segment of its own, although the kernel reads it as a part of this one: both ways find the same archives.
    /// </summary>
    internal int SkipZeros()
    {
        while (Fill(isFrameJoined: Position % CpioHeader.Alignment != 0))
        {
            int zeros = buffer.AsSpan(at, end - at).IndexOfAnyExcept((byte)0);
            if (zeros >= 0)
            {
                Take(zeros);
                return buffer[at];
            }

            Take(end - at);
        }

        return -1;
    }

    /// <summary>An exception about a place in the segment.</summary>
    internal InitrdException Fault(long offset, string fault) => new($"{subject}: {fault} (at its byte {offset})");

    private void Take(int count)
    {
        at += count;
        Position += count;
    }

    private bool Fill(bool isFrameJoined = true)
    {
        if (at < end)
        {
            return true;
        }

        at = 0;
        end = Decode();
        while (end == 0 && isFrameJoined && decoder.TryGoOn())
        {
            end = Decode();
        }

        return end == 0 || Position <= MaxLength ? end > 0 : throw Fault(Position, "it unpacks to more than 8 GiB, which is no initrd");
    }

    [SuppressMessage("Design", "CA1031", Justification = "The packages' decoders throw any exception for damaged input.")]
    private int Decode()
    {
        stop.ThrowIfCancellationRequested();
        try
        {
            return decoder.Read(buffer);
        }
        catch (UnreadableFormatException e)
        {
            throw Fault(Position, $"{e.Message}; make the initrd again with another compression");
        }
        catch (Exception e) when (e is not (InitrdException or LinuxException or OutOfMemoryException) and (EndOfStreamException or not IOException))
        {
            throw Fault(Position, "the compressed data cannot be read: it is damaged, cut short, or packed in an unusual way");
        }
    }
}
