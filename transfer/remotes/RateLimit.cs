using System.Diagnostics;

namespace HackTree.Transfer;

/// <summary>Keeps all connections together below a number of bytes a second. Thread-safe.</summary>
internal sealed class RateLimit(long bytesPerSecond)
{
    /// <summary>The most bytes to read before the next wait.</summary>
    internal const int Step = 16 * 1024;

    private readonly Lock gate = new();
    private readonly long start = Stopwatch.GetTimestamp();
    private double due;

    /// <summary>Counts bytes that were read, and waits until more may be read.</summary>
    internal void Wait(int count, CancellationToken stop)
    {
        TimeSpan wait;
        lock (gate)
        {
            double now = Stopwatch.GetElapsedTime(start).TotalSeconds;
            due = Math.Max(due, now) + ((double)count / bytesPerSecond);
            wait = TimeSpan.FromSeconds(due - now);
        }

        if (stop.WaitHandle.WaitOne(wait))
        {
            stop.ThrowIfCancellationRequested();
        }
    }
}
