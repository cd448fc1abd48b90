using System.Diagnostics;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Store;

public sealed class LockTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly TestStore store = new();

    public void Dispose() => store.Dispose();

    [Fact]
    public void Readers_and_writers_have_it_together()
    {
        using ObjectStore one = store.Open(Fail);
        using ObjectStore two = store.Open(Fail);
        Assert.Equal(one.Identity(), two.Identity());
    }

    [Fact]
    public void The_sweep_waits_for_another_process_and_says_for_whom()
    {
        Tools.Require("flock");
        using Process reader = Hold("-s");
        var told = new List<LockWait>();
        using var waiting = new ManualResetEventSlim();
        bool isDone = false;
        Action join = TestThreads.Start(() =>
        {
            store.Collect(onWait: wait => Tell(told, wait, waiting));
            Volatile.Write(ref isDone, true);
        });
        Assert.True(waiting.Wait(Patience, TestContext.Current.CancellationToken));
        Thread.Sleep(100);
        Assert.False(Volatile.Read(ref isDone));
        reader.StandardInput.Close();
        join();

        // The kernel names who took the lock, or nobody where the holder is in another pid namespace.
        LockWait wait = Assert.Single(told);
        Assert.Equal($"{store.Path}/lock", wait.Path);
        Assert.All(wait.Holders, holder => Assert.Equal(reader.Id, holder.Process));
    }

    [Fact]
    public void Who_opens_the_store_during_a_sweep_waits_and_is_told()
    {
        using ObjectStore sweeper = store.Open();
        sweeper.Lock.Exclude(null);
        using var waiting = new ManualResetEventSlim();
        bool isOpen = false;
        Action join = TestThreads.Start(() =>
        {
            store.Open(_ => waiting.Set()).Dispose();
            Volatile.Write(ref isOpen, true);
        });
        Assert.True(waiting.Wait(Patience, TestContext.Current.CancellationToken));
        Thread.Sleep(100);
        Assert.False(Volatile.Read(ref isOpen));
        sweeper.Lock.Share();
        join();
    }

    [Fact]
    public void Two_sweeps_at_once_wait_for_each_other_and_both_end()
    {
        store.Commit("main", "a=one");
        TestThreads.Run(4, _ => store.Collect());
        Assert.Empty(store.Check());
    }

    [Fact]
    public void A_killed_process_leaves_no_lock()
    {
        Tools.Require("flock");
        using Process reader = Hold("-x");
        reader.Kill(entireProcessTree: true);
        reader.WaitForExit();
        using ObjectStore opened = store.Open();
        Assert.Empty(opened.Refs.List());
    }

    /// <summary>A process that holds the lock until its input ends; it has the lock when this returns.</summary>
    private Process Hold(string kind)
    {
        var start = new ProcessStartInfo(Tools.Find("flock")!, [kind, $"{store.Path}/lock", "sh", "-c", "echo held; exec cat"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        Process process = Process.Start(start)!;
        Assert.Equal("held", process.StandardOutput.ReadLine());
        return process;
    }

    private static void Tell(List<LockWait> told, LockWait wait, ManualResetEventSlim waiting)
    {
        told.Add(wait);
        waiting.Set();
    }

    private static void Fail(LockWait wait) => Assert.Fail($"waits with {wait.Path}");
}
