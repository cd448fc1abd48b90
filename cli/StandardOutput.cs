using System.Text;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Cli;

/// <summary>
/// Standard output: buffered bytes. .NET's own stream swallows a broken pipe, so that `hacktree export | head` would go
/// on to the end of the tree; this one says so, and a full disk too.
/// </summary>
internal sealed class StandardOutput : Stream
{
    /// <summary>What errors about it are about.</summary>
    internal const string Subject = "standard output";

    private readonly SafeFileHandle file = new(1, ownsHandle: false);
    private readonly byte[] buffer = GC.AllocateUninitializedArray<byte>(64 * 1024);
    private int used;

    private StandardOutput()
    {
    }

    internal static StandardOutput Instance { get; } = new();

    internal static bool IsTerminal { get; } = Sys.IsTerminal(1);

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > buffer.Length - used)
        {
            Flush();
        }

        if (bytes.Length > buffer.Length)
        {
            Sys.Write(file, bytes).ThrowIfFailed("write", Subject);
            return;
        }

        bytes.CopyTo(buffer.AsSpan(used));
        used += bytes.Length;
    }

    public override void Write(byte[] bytes, int offset, int count) => Write(bytes.AsSpan(offset, count));

    public override void Flush()
    {
        int count = used;
        used = 0;
        Sys.Write(file, buffer.AsSpan(0, count)).ThrowIfFailed("write", Subject);
    }

    /// <summary>Writes text.</summary>
    internal void Write(string text) => Write(Encoding.UTF8.GetBytes(text));

    /// <summary>Writes a line of text.</summary>
    internal void WriteLine(string line)
    {
        Write(line);
        Write("\n"u8);
    }

    /// <summary>Writes bytes as <see cref="ByteText.Quote"/> shows them, after a text.</summary>
    internal void WriteLine(string before, ReadOnlySpan<byte> name)
    {
        Write(before);
        WriteLine(ByteText.Quote(name));
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
