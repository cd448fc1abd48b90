using HackTree.Checkout;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Cli;

/// <summary>
/// Reads a file, pipe or device from front to back. A request to stop ends the wait for a pipe that no process writes to.
/// </summary>
/// <param name="file">The file, read from its position. It is closed with the stream.</param>
/// <param name="subject">The file's name in errors.</param>
internal sealed class InputStream(SafeFileHandle file, string subject) : ReadOnlyStream
{
    // In milliseconds. A signal does not end read(2), because the runtime lets the kernel continue the call (SA_RESTART). So the wait is
    // cut into pieces.
    private const int Patience = 100;

    public override int Read(Span<byte> bytes)
    {
        while (!Sys.WaitToRead(file, Patience))
        {
            Session.Stop.ThrowIfCancellationRequested();
        }

        Sys.Read(file, bytes, out int count).ThrowIfFailed("read", subject);
        return count;
    }

    protected override void Dispose(bool disposing)
    {
        file.Dispose();
        base.Dispose(disposing);
    }
}
