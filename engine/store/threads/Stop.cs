using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// How the library is asked to stop: by one <see cref="CancellationToken"/>, which its caller makes and gives to
/// <see cref="ObjectStore.Open"/>. Long work looks at the token between two items, and ends by an <see cref="OperationCanceledException"/>
/// that passes through the same cleaning up as a failure. The library handles no signal itself.
/// </summary>
internal static class Stop
{
    /// <summary>
    /// Waits for a lock (<see cref="Sys.Lock"/>), or for a request to stop, which throws. A signal does not end flock(2), because the runtime has the
    /// kernel go on (SA_RESTART). So another thread waits in the kernel. If the lock comes after all, it ends when <paramref name="file"/> is disposed.
    /// </summary>
    internal static Errno Lock(SafeFileHandle file, LockKind kind, CancellationToken stop)
    {
        if (!stop.CanBeCanceled)
        {
            return Sys.Lock(file, kind, wait: true);
        }

        var waiting = Task.Factory.StartNew(() => Sys.Lock(file, kind, wait: true), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        waiting.Wait(stop);
        return waiting.Result;
    }
}

/// <summary>Something was stopped as asked, and there is more to say than that it was not done. The message is the end of a sentence that begins with "stopped; ".</summary>
public sealed class StoppedException(string message, Remedy? remedy = null) : OperationCanceledException(message)
{
    /// <summary>What to do about what was not done; null where the message says so, or nothing need be done.</summary>
    public Remedy? Remedy { get; } = remedy;
}
