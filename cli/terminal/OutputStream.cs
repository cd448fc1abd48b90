using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Cli;

/// <summary>
/// Buffers bytes for a file, pipe or device and writes them front to back. .NET's own streams do not say which file is full, and the console's
/// stream ignores a broken pipe, so `hacktree export | head` would go on to the end of the tree.
/// </summary>
/// <param name="file">The file, written at its position. It is closed with the stream.</param>
/// <param name="subject">The file's name in errors.</param>
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

    /// <summary>
    /// Closes the file. Bytes that were not flushed are dropped: a caller that needs them calls Flush, which reports a full disk.
    /// </summary>
    protected override void Dispose(bool disposing)
    {
        file.Dispose();
        base.Dispose(disposing);
    }
}
