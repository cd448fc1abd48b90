using HackTree.Linux;
using HackTree.Store;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Store;

public sealed class StopTests : IDisposable
{
    private readonly TempDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void Who_waits_for_a_lock_gets_it_when_it_is_free()
    {
        using var source = new CancellationTokenSource();
        using SafeFileHandle waiter = Open();
        Action join;
        using (SafeFileHandle holder = Open())
        {
            Assert.Equal(Errno.None, Sys.Lock(holder, LockKind.Exclusive, wait: false));
            join = TestThreads.Start(() => Assert.Equal(Errno.None, Stop.Lock(waiter, LockKind.Exclusive, source.Token)));
            Thread.Sleep(50);
        }

        join();
    }

    [Fact]
    public void A_request_to_stop_ends_the_wait_for_a_lock_and_leaves_the_lock_to_others()
    {
        using SafeFileHandle next = Open();
        using (SafeFileHandle holder = Open())
        using (SafeFileHandle waiter = Open())
        {
            Assert.Equal(Errno.None, Sys.Lock(holder, LockKind.Exclusive, wait: false));
            using var source = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
            Assert.Throws<OperationCanceledException>(() => Stop.Lock(waiter, LockKind.Exclusive, source.Token));
        }

        // The thread that still waits in the kernel may get it, and gives it up.
        Assert.Equal(Errno.None, Sys.Lock(next, LockKind.Exclusive, wait: true));
    }

    private SafeFileHandle Open()
    {
        Sys.Open(directory.Handle, "lock"u8, OpenFlags.ReadWrite | OpenFlags.Create, out SafeFileHandle file, FileModes.PrivateFile).ThrowIfFailed("openat", "lock");
        return file;
    }
}
