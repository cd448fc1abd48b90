using System.Net;

namespace HackTree.Transfer;

/// <summary>The body of a request: a stream from its beginning, as often as the request is tried.</summary>
internal sealed class WebContent(Remote remote, Stream source, long length) : HttpContent
{
    private readonly long start = source.Position;

    /// <inheritdoc/>
    protected override void SerializeToStream(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        source.Position = start;
        byte[] buffer = new byte[64 * 1024];
        for (int count = source.Read(buffer); count > 0; count = source.Read(buffer))
        {
            cancellationToken.ThrowIfCancellationRequested();
            stream.Write(buffer, 0, count);
            remote.CountBytes(count);
        }
    }

    /// <inheritdoc/>
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        SerializeToStream(stream, context, CancellationToken.None);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    protected override bool TryComputeLength(out long computed)
    {
        computed = length;
        return true;
    }
}
