namespace HackTree.Store;

/// <summary>
/// Does one small piece of work for each of many items. Few items are done on one thread, because a thread costs as much as some of them.
/// </summary>
public static class ParallelMap
{
    private const int Few = 32;

    /// <summary>The results, in the order of the items. The first exception, or a request to stop, ends the work and is rethrown.</summary>
    public static TResult[] Run<T, TResult>(IReadOnlyList<T> items, Func<T, TResult> map, CancellationToken stop)
    {
        var results = new TResult[items.Count];
        var work = new WorkStack<int>(stop);
        for (int i = 0; i < results.Length; i++)
        {
            work.Push(i);
        }

        work.Run(results.Length < Few ? 1 : Environment.ProcessorCount, () => i => results[i] = map(items[i]));
        return results;
    }
}
