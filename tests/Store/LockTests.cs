using System.Diagnostics;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Crash;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

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
    public void Who_comes_while_a_sweep_waits_lets_it_go_first_and_is_told()
    {
        Tools.Require("flock");
        using Process reader = Hold("-s");
        using var sweeps = new ManualResetEventSlim();
        using var comes = new ManualResetEventSlim();
        var told = new List<LockWait>();
        bool isSwept = false;
        Action joinSweep = TestThreads.Start(() =>
        {
            store.Collect(onWait: _ => sweeps.Set());
            Volatile.Write(ref isSwept, true);
        });
        Assert.True(sweeps.Wait(Patience, TestContext.Current.CancellationToken));
        Action joinOpen = TestThreads.Start(() =>
        {
            using ObjectStore opened = store.Open(wait => Tell(told, wait, comes));

            // The sweep is over, though its thread may not have said so. While this store is open, no sweep could come to its end.
            Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref isSwept), Patience));
        });
        Assert.True(comes.Wait(Patience, TestContext.Current.CancellationToken));
        reader.StandardInput.Close();
        joinSweep();
        joinOpen();
        Assert.Equal((store.Path, StoreGate.Patience), (told[0].Path, told[0].Patience!.Value));
    }

    [Fact]
    public void Nobody_lets_a_sweep_go_first_for_ever()
    {
        using SafeFileHandle directory = OpenStoreDirectory();
        using SafeFileHandle closed = StoreGate.Close(directory, store.Path, null, CancellationToken.None);
        var told = new List<LockWait>();
        StoreGate.Pass(directory, store.Path, TimeSpan.FromMilliseconds(50), told.Add, CancellationToken.None);
        Assert.Single(told);
    }

    [Fact]
    public void A_sweep_that_is_killed_while_it_waits_bars_nobody()
    {
        Hacktree.Require();
        using var reader = new ManualResetEventSlim();
        Process gc;
        Action join;
        using (ObjectStore opened = store.Open())
        {
            gc = Process.Start(new ProcessStartInfo(Hacktree.Path, ["--store", store.Path, "gc"]) { RedirectStandardError = true })!;
            Assert.Contains("waiting for", gc.StandardError.ReadLine(), StringComparison.Ordinal);
            join = TestThreads.Start(() => store.Open(_ => reader.Set()).Dispose());
            Assert.True(reader.Wait(Patience, TestContext.Current.CancellationToken));
            gc.Kill();
            gc.WaitForExit();
            join();
        }

        gc.Dispose();
    }

    [Fact]
    public void A_question_of_the_shell_waits_for_nobody()
    {
        Hacktree.Require();
        using SafeFileHandle directory = OpenStoreDirectory();
        using SafeFileHandle closed = StoreGate.Close(directory, store.Path, null, CancellationToken.None);
        ToolResult answer = Hacktree.Run("__complete", "--store", store.Path, "log", "");
        Assert.Equal("", answer.Error);
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

    private SafeFileHandle OpenStoreDirectory()
    {
        Errno errno = Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(store.Path), OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle directory);
        Assert.Equal(Errno.None, errno);
        return directory;
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
