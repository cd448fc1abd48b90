using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace HackTree.Store;

/// <summary>
/// Work that makes more work, such as walking a tree, on a bounded number of threads. The newest item is taken first, so
/// that a walk goes deep before it goes wide and few directories are open at a time. The first exception ends it all.
/// </summary>
/// <remarks>
/// A thread that waits for a disk leaves a processor idle, and a disk that is asked for eight things at once brings each nearly as soon as a
/// single one. So work that mostly reads gets more threads than there are processors while the process uses little of them. With all in memory
/// it gets none; writers gain nothing by it, they wait for one journal.
/// </remarks>
/// <typeparam name="T">One item of work.</typeparam>
public sealed class WorkStack<T>
{
    private const int MostReaders = 8;
    private const double IdleBelow = 0.6;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(10);

    private readonly object gate = new();
    private readonly Stack<T> waiting = new();
    private readonly List<Thread> others = [];
    private Action begin = () => { };
    private int mostThreads;
    private long lookedAt;
    private TimeSpan usedThen;
    private int unfinished;
    private ExceptionDispatchInfo? failure;

    /// <summary>Adds work; a worker calls it for what it finds.</summary>
    public void Push(T item)
    {
        lock (gate)
        {
            waiting.Push(item);
            unfinished++;
            Monitor.Pulse(gate);
        }
    }

    /// <summary>
    /// Runs until no work is left, and rethrows the first exception once every thread has stopped.
    /// <paramref name="makeWorker"/> is called once on each thread, to give it buffers of its own.
    /// </summary>
    public void Run(int threads, Func<Action<T>> makeWorker) => Run(threads, threads, makeWorker);

    /// <summary>The same for work that mostly reads: on every processor, and on more threads while those wait for a disk.</summary>
    public void RunReaders(Func<Action<T>> makeWorker) =>
        Run(Environment.ProcessorCount, Math.Max(Environment.ProcessorCount, MostReaders), makeWorker);

    private void Run(int threads, int most, Func<Action<T>> makeWorker)
    {
        begin = () => Work(makeWorker);
        mostThreads = most;
        lookedAt = Stopwatch.GetTimestamp();
        usedThen = Environment.CpuUsage.TotalTime;
        while (others.Count < threads - 1)
        {
            AddThread();
        }

        Work(makeWorker);

        // There are no more to come: all is done, or has failed.
        others.ForEach(other => other.Join());
        failure?.Throw();
    }

    private void Work(Func<Action<T>> makeWorker)
    {
        try
        {
            Action<T> work = makeWorker();
            while (TryTake(out T item))
            {
                work(item);
                Finish();
            }
        }
        catch (Exception e)
        {
            lock (gate)
            {
                failure ??= ExceptionDispatchInfo.Capture(e);
                Monitor.PulseAll(gate);
            }
        }
    }

    private bool TryTake(out T item)
    {
        lock (gate)
        {
            while (failure is null && unfinished > 0)
            {
                if (waiting.TryPop(out T? taken))
                {
                    item = taken;
                    AddThreadIfIdle();
                    return true;
                }

                Monitor.Wait(gate);
            }

            item = default!;
            return false;
        }
    }

    private void AddThread()
    {
        var other = new Thread(() => begin()) { IsBackground = true };
        others.Add(other);
        other.Start();
    }

    private void AddThreadIfIdle()
    {
        if (others.Count + 1 >= mostThreads || waiting.Count == 0)
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
                AddThread();
            }

            (lookedAt, usedThen) = (now, used);
        }
    }

    private void Finish()
    {
        lock (gate)
        {
            if (--unfinished == 0)
            {
                Monitor.PulseAll(gate);
            }
        }
    }
}
