using System.Runtime.ExceptionServices;

namespace HackTree.Store;

/// <summary>
/// Work that makes more work, such as walking a tree, on a bounded number of threads. The newest item is taken first, so
/// that a walk goes deep before it goes wide and few directories are open at a time. The first exception ends it all.
/// </summary>
/// <typeparam name="T">One item of work.</typeparam>
public sealed class WorkStack<T>
{
    private readonly object gate = new();
    private readonly Stack<T> waiting = new();
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
    public void Run(int threads, Func<Action<T>> makeWorker)
    {
        var others = new Thread[Math.Max(threads, 1) - 1];
        for (int i = 0; i < others.Length; i++)
        {
            others[i] = new Thread(() => Work(makeWorker)) { IsBackground = true };
            others[i].Start();
        }

        Work(makeWorker);
        foreach (Thread other in others)
        {
            other.Join();
        }

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
                    return true;
                }

                Monitor.Wait(gate);
            }

            item = default!;
            return false;
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
