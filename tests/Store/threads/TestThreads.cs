using System.Collections.Concurrent;

namespace HackTree.Tests.Store;

/// <summary>Threads whose exceptions fail the test instead of the process.</summary>
internal static class TestThreads
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>Runs <paramref name="body"/> on several threads at once, with their numbers, until all have ended.</summary>
    public static void Run(int count, Action<int> body) =>
        Enumerable.Range(0, count).Select(number => Start(() => body(number))).ToList().ForEach(join => join());

    /// <summary>Starts a thread. The result waits for its end and throws what the thread threw.</summary>
    public static Action Start(Action body)
    {
        var failures = new ConcurrentQueue<Exception>();
        var thread = new Thread(() =>
        {
            try
            {
                body();
            }
            catch (Exception e)
            {
                failures.Enqueue(e);
            }
        })
        { IsBackground = true };
        thread.Start();
        return () =>
        {
            Assert.True(thread.Join(Patience), "a thread does not end");
            Assert.Empty(failures);
        };
    }
}
