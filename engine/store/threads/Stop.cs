using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Stops the library: its caller makes one <see cref="CancellationToken"/> and passes it to <see cref="ObjectStore.Open"/>. Long work checks the
/// token between two items. It ends by an <see cref="OperationCanceledException"/>, after which the same is cleaned up as after a failure. The
/// library itself handles no signals.
/// </summary>
internal static class Stop
{
    /// <summary>
    /// Waits for a lock (<see cref="Sys.Lock"/>). A request to stop ends the wait by an exception. A signal does not end flock(2), because
    /// the runtime lets the kernel continue the call (SA_RESTART). So another thread waits in the kernel. If it gets the lock after all,
    /// the lock ends when <paramref name="file"/> is disposed of.
    /// </summary>
    internal static Errno Lock(SafeFileHandle file, LockKind kind, CancellationToken stop)
    {
        if (!stop.CanBeCanceled)
        {
            return Sys.Lock(file, kind, wait: true);
        }

        Task<Errno> waiting = WaitInKernel(file, kind);
        waiting.Wait(stop);
        return waiting.Result;
    }

    /// <summary>
    /// Waits for a lock as <see cref="Lock"/> does, but only for a time. EAGAIN if another process still holds the lock then. In that case
    /// <paramref name="file"/> must be disposed of soon, because the lock may be taken later all the same.
    /// </summary>
    internal static Errno TryLock(SafeFileHandle file, LockKind kind, TimeSpan limit, CancellationToken stop)
    {
        Errno errno = Sys.Lock(file, kind, wait: false);
        if (errno != Errno.EAGAIN)
        {
            return errno;
        }

        Task<Errno> waiting = WaitInKernel(file, kind);
        return waiting.Wait((int)limit.TotalMilliseconds, stop) ? waiting.Result : Errno.EAGAIN;
    }

    private static Task<Errno> WaitInKernel(SafeFileHandle file, LockKind kind) => Task.Factory.StartNew(
        () => Sys.Lock(file, kind, wait: true), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}

/// <summary>
/// A command was stopped as requested, and its user must know more than that. The message is the end of a sentence that begins with "stopped; ".
/// </summary>
public sealed class StoppedException(string message, Remedy? remedy = null) : OperationCanceledException(message)
{
    /// <summary>What to do about the unfinished work; null if the message says so, or if nothing need be done.</summary>
    public Remedy? Remedy { get; } = remedy;
}
