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

        var waiting = Task.Factory.StartNew(
            () => Sys.Lock(file, kind, wait: true), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        waiting.Wait(stop);
        return waiting.Result;
    }
}

/// <summary>
/// A command was stopped as requested, and its user must know more than that. The message is the end of a sentence that begins with "stopped; ".
/// </summary>
public sealed class StoppedException(string message, Remedy? remedy = null) : OperationCanceledException(message)
{
    /// <summary>What to do about the unfinished work; null if the message says so, or if nothing need be done.</summary>
    public Remedy? Remedy { get; } = remedy;
}
