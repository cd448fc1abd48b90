using System.Diagnostics;
using HackTree.Store;

namespace HackTree.Tests.Store;

/// <summary>How many threads do the work, and what becomes of an exception on one of them. Alone: what other tests use of the processors would count.</summary>
[Collection(nameof(WorkStackTests))]
[CollectionDefinition(nameof(WorkStackTests), DisableParallelization = true)]
public sealed class WorkStackTests
{
    private const int MostReaders = 8;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    [Fact]
    public void Readers_that_wait_get_more_threads_than_there_are_processors()
    {
        // With so many processors there is a thread for each from the start, and none to add.
        int expected = Environment.ProcessorCount < MostReaders ? Environment.ProcessorCount + 1 : Environment.ProcessorCount;
        var crowd = new Crowd(until: expected);
        crowd.Work.RunReaders(() => crowd.Wait);
        Assert.InRange(crowd.Most, expected, Math.Max(Environment.ProcessorCount, MostReaders));
    }

    [Fact]
    public void Other_work_keeps_to_its_threads_however_long_it_waits()
    {
        var crowd = new Crowd(until: 2, items: 100);
        crowd.Work.Run(1, () => crowd.Wait);
        Assert.Equal(1, crowd.Most);
        Assert.Equal(100, crowd.Done);
    }

    [Fact]
    public void The_first_exception_is_rethrown_once_all_threads_have_stopped()
    {
        var crowd = new Crowd(until: int.MaxValue);
        int inside = 0;
        StoreException thrown = Assert.Throws<StoreException>(() => crowd.Work.RunReaders(() => item =>
        {
            Interlocked.Increment(ref inside);
            crowd.Wait(item);
            Interlocked.Decrement(ref inside);
            if (item == 20)
            {
                Interlocked.Increment(ref inside);
                throw new StoreException("item 20");
            }
        }));
        Assert.Equal("item 20", thrown.Message);
        Assert.Equal(1, inside);
    }

    [Fact]
    public void A_request_to_stop_ends_the_work_before_the_next_item_of_each_thread()
    {
        using var source = new CancellationTokenSource();
        var work = new WorkStack<int>(source.Token);
        for (int i = 0; i < 1000; i++)
        {
            work.Push(i);
        }

        int done = 0;
        Assert.Throws<OperationCanceledException>(() => work.RunReaders(() => _ =>
        {
            if (Interlocked.Increment(ref done) == 20)
            {
                source.Cancel();
            }
        }));
        Assert.InRange(done, 20, 20 + MostReaders);
    }

    /// <summary>Work that only waits, and makes more of the kind until as many threads were at it at once, or so many items are done.</summary>
    private sealed class Crowd
    {
        private readonly Stopwatch clock = Stopwatch.StartNew();
        private readonly int until;
        private readonly int items;
        private int inside;

        public Crowd(int until, int items = int.MaxValue)
        {
            this.until = until;
            this.items = items;
            for (int i = 0; i < Math.Max(Environment.ProcessorCount, MostReaders) * 2 && i < items; i++)
            {
                Work.Push(i);
            }

            Pushed = Math.Min(Math.Max(Environment.ProcessorCount, MostReaders) * 2, items);
        }

        public WorkStack<int> Work { get; } = new(CancellationToken.None);

        public int Most { get; private set; }

        public int Done { get; private set; }

        private int Pushed { get; set; }

        public void Wait(int _)
        {
            lock (clock)
            {
                Most = Math.Max(Most, ++inside);
            }

            Thread.Sleep(2);
            lock (clock)
            {
                inside--;
                Done++;
                if (Most < until && Pushed < items && clock.Elapsed < Patience)
                {
                    Work.Push(Pushed++);
                }
            }
        }
    }
}
