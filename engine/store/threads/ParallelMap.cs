namespace HackTree.Store;

/// <summary>Does one piece of work for each of many items.</summary>
public static class ParallelMap
{
    private const int Few = 32;

    /// <summary>
    /// The results of small pieces, in the order of the items. Few items are done on one thread, because a thread costs as much as some of them. The first
    /// exception, or a request to stop, ends the work and is rethrown.
    /// </summary>
    public static TResult[] Run<T, TResult>(IReadOnlyList<T> items, Func<T, TResult> map, CancellationToken stop) =>
        RunOn(items.Count < Few ? 1 : Environment.ProcessorCount, items, map, stop);

    /// <summary>The results of pieces of which each is worth a thread, as <see cref="Run"/> gives them. The first item is begun first.</summary>
    public static TResult[] RunLong<T, TResult>(IReadOnlyList<T> items, Func<T, TResult> map, CancellationToken stop) =>
        RunOn(Math.Min(items.Count, Environment.ProcessorCount), items, map, stop);

    private static TResult[] RunOn<T, TResult>(int threads, IReadOnlyList<T> items, Func<T, TResult> map, CancellationToken stop)
    {
        var results = new TResult[items.Count];
        var work = new WorkStack<int>(stop);
        for (int i = results.Length - 1; i >= 0; i--)
        {
            work.Push(i);
        }

        work.Run(threads, () => i => results[i] = map(items[i]));
        return results;
    }
}
