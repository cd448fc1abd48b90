using System.Globalization;
using System.Text;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>A message that came over a link: its words, and the length of the bytes that follow.</summary>
/// <param name="Words">The words of its line, without the length.</param>
/// <param name="Length">The number of bytes.</param>
internal sealed record LinkMessage(string[] Words, long Length)
{
    /// <summary>Whether it is the answer to a request, or the refusal of one, rather than a request.</summary>
    internal bool IsAnswer => Words[0] is StoreLink.Yes or StoreLink.No;
}

/// <summary>
/// Messages between two programs of HackTree over two pipes (transfer/FORMAT.md, section 9). Either end may ask, one at a time. Not thread-safe.
/// </summary>
/// <param name="input">What the other end writes.</param>
/// <param name="output">What it reads.</param>
/// <param name="subject">The other end, for messages.</param>
internal sealed class StoreLink(Stream input, Stream output, string subject) : IDisposable
{
    /// <summary>What is spoken, and its version.</summary>
    internal const string Version = "hacktree store 1";

    internal const string Yes = "yes";
    internal const string No = "no";

    /// <summary>The longest text that is taken: the refs of a store, or the digests of blobs.</summary>
    internal const int MaxText = 64 * 1024 * 1024;

    /// <summary>The longest reason of a refusal.</summary>
    internal const int MaxRefusal = 4096;

    private const int MaxLine = 1024;
    private const int BufferSize = 64 * 1024;

    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(200);

    private readonly BufferedStream reader = new(input, BufferSize);
    private readonly BufferedStream writer = new(output, BufferSize);

    /// <summary>The other end, for messages.</summary>
    internal string Subject => subject;

    /// <summary>The most bytes a second that are read; null for no limit.</summary>
    internal RateLimit? Limit { get; init; }

    /// <summary>The caller's request to stop.</summary>
    internal CancellationToken Stop { get; init; }

    /// <summary>Called with true whenever something is waited for that the other end is to say, and with false when it has come.</summary>
    internal Action<bool>? OnWait { get; init; }

    /// <summary>Why the other end is silent, in words, when it has ended.</summary>
    internal Func<string> LastWords { get; init; } = () => "the connection ended";

    /// <summary>Whether nothing more can be said, because the other end is gone or is not understood.</summary>
    internal bool IsBroken { get; private set; }

    /// <summary>The number of requests that were made.</summary>
    internal long Requests { get; private set; }

    /// <summary>The number of bytes that came or went behind the lines.</summary>
    internal long Bytes { get; private set; }

    /// <summary>Sends a message. If the other end reads no more, what it said before is there to be received.</summary>
    internal void Send(string words, ReadOnlySpan<byte> body) => _ = TryWrite(Line(words, body.Length)) && TryWrite(body) && TryFlush();

    /// <summary>Sends a message with a file, from its position to its end, likewise.</summary>
    internal void Send(string words, FileStream body)
    {
        byte[] buffer = new byte[BufferSize];
        bool isRead = TryWrite(Line(words, body.Length - body.Position));
        for (int count; isRead && (count = body.Read(buffer)) > 0;)
        {
            Stop.ThrowIfCancellationRequested();
            isRead = TryWrite(buffer.AsSpan(0, count));
        }

        _ = isRead && TryFlush();
    }

    /// <summary>Receives the line of a message; null if the other end has no more. Its bytes have to be read next.</summary>
    internal LinkMessage? Receive()
    {
        var line = new StringBuilder();
        OnWait?.Invoke(true);
        try
        {
            for (int next; (next = reader.ReadByte()) != '\n'; line.Append((char)next))
            {
                if (next < 0)
                {
                    return line.Length == 0 ? null : throw Ended();
                }

                if (line.Length == MaxLine)
                {
                    throw Strange();
                }
            }
        }
        catch (IOException)
        {
            throw Ended();
        }
        finally
        {
            OnWait?.Invoke(false);
        }

        string[] words = line.ToString().Split(' ');
        return words.Length > 1 && long.TryParse(words[^1], NumberStyles.None, CultureInfo.InvariantCulture, out long length)
            ? new LinkMessage(words[..^1], length)
            : throw Strange();
    }

    /// <summary>
    /// Asks for something, and returns the length of the answer. Its bytes have to be read next. Throws <see cref="StoreException"/> for a refusal.
    /// </summary>
    internal long Ask(string words, ReadOnlySpan<byte> body)
    {
        Requests++;
        Send(words, body);
        return Accept(Receive() ?? throw Ended());
    }

    /// <summary>Throws <see cref="StoreException"/> unless the other end speaks the same.</summary>
    internal void Greet()
    {
        Send("hello", []);
        if (Encoding.UTF8.GetString(Read(Accept(Receive() ?? throw Ended()), MaxText)) != Version)
        {
            throw Strange();
        }
    }

    /// <summary>Asks for a text. Throws as <see cref="Ask"/> does.</summary>
    internal string AskText(string words, ReadOnlySpan<byte> body) => Encoding.UTF8.GetString(Read(Ask(words, body), MaxText));

    /// <summary>The length of an answer. Throws <see cref="StoreException"/> for a refusal.</summary>
    internal long Accept(LinkMessage answer) => answer.Words switch
    {
        [Yes] => answer.Length,
        [No] => throw new StoreException($"{subject}: {Encoding.UTF8.GetString(Read(answer.Length, MaxRefusal))}"),
        _ => throw Strange(),
    };

    /// <summary>Reads the bytes of a message. Throws <see cref="StoreException"/> if they are more than are allowed.</summary>
    internal byte[] Read(long length, int maxLength)
    {
        var body = new MemoryStream();
        Copy(length, maxLength, body);
        return body.ToArray();
    }

    /// <summary>Reads the bytes of a message into a file without a name. Throws <see cref="StoreException"/> if they are more than are allowed.</summary>
    internal FileStream ReadFile(ObjectStore store, long length, long maxLength)
    {
        FileStream file = ScratchFile.Open(store);
        try
        {
            Copy(length, maxLength, file);
            file.Position = 0;
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The failure of an unknown message.</summary>
    internal StoreException Strange()
    {
        IsBroken = true;
        return new StoreException($"{subject}: what it says is nothing that this HackTree understands; compare `hacktree version` there and here");
    }

    public void Dispose()
    {
        try
        {
            writer.Dispose();
        }
        catch (IOException)
        {
            // The other end has gone before.
        }

        reader.Dispose();
    }

    private byte[] Line(string words, long length)
    {
        Bytes += length;
        return Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{words} {length}\n"));
    }

    // False if the other end reads no more.
    private bool TryWrite(ReadOnlySpan<byte> bytes)
    {
        try
        {
            writer.Write(bytes);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private bool TryFlush()
    {
        try
        {
            writer.Flush();
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private void Copy(long length, long maxLength, Stream target)
    {
        if (length > maxLength)
        {
            throw Strange();
        }

        byte[] buffer = new byte[BufferSize];
        try
        {
            for (long left = length; left > 0;)
            {
                Stop.ThrowIfCancellationRequested();
                OnWait?.Invoke(true);
                int count = reader.Read(buffer, 0, (int)Math.Min(left, RateLimit.Step));
                if (count == 0)
                {
                    throw Ended();
                }

                target.Write(buffer, 0, count);
                Limit?.Wait(count, Stop);
                left -= count;
            }
        }
        catch (IOException) when (target is MemoryStream)
        {
            throw Ended();
        }
        finally
        {
            OnWait?.Invoke(false);
        }

        Bytes += length;
    }

    /// <summary>The failure of a link whose other end has gone.</summary>
    internal StoreException Ended()
    {
        IsBroken = true;

        // Ctrl-C reaches ssh too, perhaps before this program hears of it.
        _ = Stop.WaitHandle.WaitOne(Moment);
        Stop.ThrowIfCancellationRequested();
        return new StoreException($"{subject}: {LastWords()}");
    }
}
