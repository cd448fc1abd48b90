using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Cli;

/// <summary>
/// Buffered bytes to a file, pipe or device, front to back. .NET's own streams do not say which of them is full, and that of
/// the console swallows a broken pipe, so that `hacktree export | head` would go on to the end of the tree.
/// </summary>
/// <param name="file">Written to where it stands; closed with the stream.</param>
/// <param name="subject">What errors call it.</param>
internal class OutputStream(SafeFileHandle file, string subject) : Stream
{
    private readonly byte[] buffer = GC.AllocateUninitializedArray<byte>(64 * 1024);
    private int used;

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
            Sys.Write(file, bytes).ThrowIfFailed("write", subject);
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
        Sys.Write(file, buffer.AsSpan(0, count)).ThrowIfFailed("write", subject);
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>Closes the file. What was not flushed is dropped: who wants it whole says so, and hears of a full disk.</summary>
    protected override void Dispose(bool disposing)
    {
        file.Dispose();
        base.Dispose(disposing);
    }
}
