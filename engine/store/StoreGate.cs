using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// The gate before the store's lock: flock(2) on the store's own directory. A process that opens the store goes through the gate first. gc
/// closes the gate while it waits for the lock, so that processes that come later cannot keep gc waiting for ever. flock(2) alone is not fair:
/// it gives a shared lock to everybody who asks while others hold it shared.
/// </summary>
/// <remarks>
/// A process waits at a closed gate for a bounded time only, and then goes through all the same. Otherwise a process that gc waits for could be
/// waiting for one at the gate, as in <c>hacktree export ... | hacktree commit --tar -</c>. A gc that stands still bars nobody for ever either.
/// </remarks>
internal static class StoreGate
{
    // How long gc tries before it says that it waits. A process that goes through has the gate for microseconds.
    private static readonly TimeSpan Passage = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest time for which a process lets gc go first.</summary>
    internal static TimeSpan Patience { get; } = TimeSpan.FromSeconds(30);

    /// <summary>Goes through the gate. If it is closed, calls <paramref name="onWait"/> and waits, for <paramref name="patience"/> at most.</summary>
    internal static void Pass(SafeFileHandle store, string storePath, TimeSpan patience, Action<LockWait>? onWait, CancellationToken stop)
    {
        using SafeFileHandle gate = DirectoryReader.Reopen(store, storePath);
        _ = Flock.TryTake(gate, LockKind.Shared, storePath, patience, onWait, stop);
    }

    /// <summary>
    /// Closes the gate until the result is disposed of. The caller must not hold the store's lock: the process that has closed the gate waits for the
    /// lock.
    /// </summary>
    internal static SafeFileHandle Close(SafeFileHandle store, string storePath, Action<LockWait>? onWait, CancellationToken stop)
    {
        SafeFileHandle gate = DirectoryReader.Reopen(store, storePath);
        try
        {
            if (Stop.TryLock(gate, LockKind.Exclusive, Passage, stop) is not Errno.None)
            {
                Flock.Take(gate, LockKind.Exclusive, storePath, onWait, stop);
            }

            return gate;
        }
        catch
        {
            gate.Dispose();
            throw;
        }
    }
}
