using System.Diagnostics;

namespace HackTree.Store;

/// <summary>
/// The threads of one run of a <see cref="WorkStack{T}"/>, except the thread that began it. The caller ensures that only one thread at a time
/// calls its methods.
/// </summary>
/// <remarks>
/// A thread that waits for a disk leaves a processor idle, and a disk returns eight requests at once nearly as fast as one. So there can be more
/// threads than processors. A thread is added only if the process has recently used little of the processors, which is taken for waiting. It may
/// also be that other processes use them; then a few threads too many do no harm.
/// </remarks>
internal sealed class Crew(int most, Action<Crew> body)
{
    private const double IdleBelow = 0.6;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(10);

    private readonly List<Thread> others = [];
    private bool isComplete;
    private long lookedAt = Stopwatch.GetTimestamp();
    private TimeSpan usedThen = Environment.CpuUsage.TotalTime;

    /// <summary>Adds a thread. If the system allows this process no more threads (RLIMIT_NPROC), the existing ones do the work.</summary>
    internal void Add()
    {
        try
        {
            var other = new Thread(() => body(this)) { IsBackground = true };
            other.Start();
            others.Add(other);
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            isComplete = true;
        }
    }

    /// <summary>Adds a thread if more are allowed and the process has used little of the processors since the last call.</summary>
    internal void AddIfIdle()
    {
        if (isComplete || others.Count + 1 >= most)
        {
            return;
        }

        long now = Stopwatch.GetTimestamp();
        TimeSpan elapsed = Stopwatch.GetElapsedTime(lookedAt, now);
        if (elapsed >= Interval)
        {
            TimeSpan used = Environment.CpuUsage.TotalTime;
            if (used - usedThen < IdleBelow * Environment.ProcessorCount * elapsed)
            {
                Add();
            }

            (lookedAt, usedThen) = (now, used);
        }
    }

    /// <summary>Waits until all threads have ended. No thread may be added any more.</summary>
    internal void Join() => others.ForEach(other => other.Join());
}
