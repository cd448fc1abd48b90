using System.Runtime.ExceptionServices;

namespace HackTree.Store;

/// <summary>
/// Work that makes more work, such as walking a tree, on a limited number of threads. The newest item is taken first, so a walk goes deep before
/// it goes wide, and few directories are open at a time. The first exception ends the run. A request to stop ends it too: no further item is
/// begun. A long item checks the token itself.
/// </summary>
/// <typeparam name="T">One item of work.</typeparam>
public sealed class WorkStack<T>(CancellationToken stop)
{
    private const int MostReaders = 8;

    private readonly object gate = new();
    private readonly Stack<T> waiting = new();

    // Items that wait or are worked on. Several runs may share a stack (TreeMaker.RunHere): each ends when the items of all are finished.
    private int unfinished;
    private ExceptionDispatchInfo? failure;

    /// <summary>Adds an item. Workers call it for further work that they find.</summary>
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
    /// Runs until no work is left. Rethrows the first exception after every thread has ended. <paramref name="makeWorker"/> is called once
    /// on each thread, so that each has its own buffers.
    /// </summary>
    public void Run(int threads, Func<Action<T>> makeWorker) => Run(threads, threads, makeWorker);

    /// <summary>Runs work that mostly reads: on one thread for each processor, and on more threads while those wait for a disk.</summary>
    public void RunReaders(Func<Action<T>> makeWorker) =>
        Run(Environment.ProcessorCount, Math.Max(Environment.ProcessorCount, MostReaders), makeWorker);

    private void Run(int threads, int most, Func<Action<T>> makeWorker)
    {
        var crew = new Crew(most, each => Work(each, makeWorker));
        lock (gate)
        {
            for (int i = 1; i < threads; i++)
            {
                crew.Add();
            }
        }

        Work(crew, makeWorker);

        // All work is done or has failed, so no further thread is needed.
        crew.Join();
        failure?.Throw();
    }

    private void Work(Crew crew, Func<Action<T>> makeWorker)
    {
        try
        {
            Action<T> work = makeWorker();
            while (TryTake(crew, out T item))
            {
                stop.ThrowIfCancellationRequested();
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

    private bool TryTake(Crew crew, out T item)
    {
        lock (gate)
        {
            while (failure is null && unfinished > 0)
            {
                if (waiting.TryPop(out T? taken))
                {
                    item = taken;
                    if (waiting.Count > 0)
                    {
                        crew.AddIfIdle();
                    }

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
            Step.Require(unfinished > waiting.Count, "an item is finished once, by the thread that took it");
            if (--unfinished == 0)
            {
                Monitor.PulseAll(gate);
            }
        }
    }
}
