using HackTree.Checkout;

namespace HackTree.Transfer;

/// <summary>The body of an answer, read from front to back. A request to stop ends a read that waits for the server.</summary>
internal sealed class AnswerStream : ReadOnlyStream
{
    private readonly HttpResponseMessage answer;
    private readonly Stream body;
    private readonly RateLimit? limit;
    private readonly CancellationToken stop;
    private readonly CancellationTokenRegistration onStop;

    internal AnswerStream(HttpResponseMessage answer, RateLimit? limit, CancellationToken stop)
    {
        (this.answer, this.limit, this.stop) = (answer, limit, stop);
        body = answer.Content.ReadAsStream(stop);
        onStop = stop.Register(answer.Dispose);
    }

    public override int Read(Span<byte> buffer)
    {
        stop.ThrowIfCancellationRequested();
        try
        {
            int count = body.Read(limit is null ? buffer : buffer[..Math.Min(buffer.Length, RateLimit.Step)]);
            limit?.Wait(count, stop);
            return count;
        }
        catch (Exception e) when (stop.IsCancellationRequested && Retry.IsTransient(e))
        {
            throw new OperationCanceledException(stop);
        }
    }

    protected override void Dispose(bool disposing)
    {
        onStop.Dispose();
        body.Dispose();
        answer.Dispose();
        base.Dispose(disposing);
    }
}
