using System.Diagnostics;

namespace HackTree.Store;

/// <summary>
/// The threads of one run of a <see cref="WorkStack{T}"/>, besides the one that began it. Its caller sees to it that one thread at a time calls it.
/// </summary>
/// <remarks>
/// A thread that waits for a disk leaves a processor idle, and a disk that is asked for eight things at once brings each nearly as soon as a
/// single one. So there can be more threads than processors, but one is added only where the process has used little of them of late. That is
/// taken for waiting; it can also be that other processes have them, and then a few threads more than needed do no harm.
/// </remarks>
internal sealed class Crew(int most, Action<Crew> body)
{
    private const double IdleBelow = 0.6;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(10);

    private readonly List<Thread> others = [];
    private bool isComplete;
    private long lookedAt = Stopwatch.GetTimestamp();
    private TimeSpan usedThen = Environment.CpuUsage.TotalTime;

    /// <summary>Adds a thread; where the system lets this process have no more (RLIMIT_NPROC), those it has do the work.</summary>
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

    /// <summary>Adds a thread if the crew may have more and the process used little of the processors since it was last asked.</summary>
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

    /// <summary>Waits for all of them. Nobody may add any more.</summary>
    internal void Join() => others.ForEach(other => other.Join());
}
