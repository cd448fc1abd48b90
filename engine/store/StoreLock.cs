using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// The lock on the store's lock file (flock(2)). Readers and writers hold it shared. Only the sweep of gc holds it exclusively. The kernel
/// releases the lock when the process ends, however it ends.
/// </summary>
/// <remarks>
/// All locks are taken in one order. A process never waits for a lock while it holds a later one:
/// <list type="number">
/// <item>the gate (<see cref="StoreGate"/>): gc's sweep closes it while it waits for the next lock, everybody else goes through it;</item>
/// <item>the store's lock: every process holds it as long as it has the store open;</item>
/// <item>the turn for a root (<see cref="RootTurn"/>): a process that makes, changes or removes the root takes it, without waiting;</item>
/// <item>the refs' turn (<see cref="RefTurn"/>): held for milliseconds, because no syncfs(2) happens in it;</item>
/// <item>the lock of the stat cache: taken without waiting.</item>
/// </list>
/// gc gives up the store's lock before it waits for the gate and then for the store's lock exclusively. It holds no other lock then.
/// A build gives up the store's lock while its command runs, and then waits for it with a root's turn. That is safe, because no process waits for
/// a root's turn.
/// </remarks>
public sealed class StoreLock : IDisposable
{
    private const string Order = "the store's lock is taken shared, then exclusive for one sweep at a time";

    private readonly SafeFileHandle store;
    private readonly SafeFileHandle file;
    private readonly string storePath;
    private readonly CancellationToken stop;
    private LockKind? held;

    private StoreLock(SafeFileHandle store, SafeFileHandle file, string storePath, CancellationToken stop)
    {
        this.store = store;
        this.file = file;
        this.storePath = storePath;
        this.stop = stop;
    }

    private string Subject => $"{storePath}/lock";

    /// <summary>
    /// Takes the lock shared. <paramref name="onWait"/> is called if the call must wait for a gc that waits for its sweep, and again if it must
    /// wait for a sweep. <paramref name="store"/> must stay open as long as the lock is held.
    /// </summary>
    internal static StoreLock Take(SafeFileHandle store, string storePath, Action<LockWait>? onWait, CancellationToken stop)
    {
        StoreGate.Pass(store, storePath, StoreGate.Patience, onWait, stop);
        string subject = $"{storePath}/lock";
        if (!StoreFile.Open(store, "lock"u8, OpenFlags.ReadOnly, subject, out SafeFileHandle file))
        {
            throw new CorruptException(subject, "missing from the store", new Remedy.MakeFile(subject)) { IsMissing = true };
        }

        var result = new StoreLock(store, file, storePath, stop);
        try
        {
            result.Change(null, LockKind.Shared, onWait);
            return result;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Waits until no other process uses the store, and keeps others out until <see cref="Share"/>. Meanwhile the lock is not held. Another
    /// sweep may happen then, so anything that was read before may be out of date.
    /// </summary>
    internal void Exclude(Action<LockWait>? onWait)
    {
        Step.Require(held == LockKind.Shared, Order);
        Sys.Unlock(file).ThrowIfFailed("flock", Subject);
        held = null;
        using SafeFileHandle gate = StoreGate.Close(store, storePath, onWait, stop);
        Change(null, LockKind.Exclusive, onWait);
    }

    /// <summary>Makes the lock shared again.</summary>
    internal void Share() => Change(LockKind.Exclusive, LockKind.Shared, null);

    /// <summary>Gives up the lock until <see cref="Return"/>. gc may sweep meanwhile.</summary>
    internal void Leave()
    {
        Step.Require(held == LockKind.Shared, Order);
        Sys.Unlock(file).ThrowIfFailed("flock", Subject);
        held = null;
    }

    /// <summary>Takes the lock shared again, as <see cref="Take"/> does.</summary>
    internal void Return(Action<LockWait>? onWait)
    {
        StoreGate.Pass(store, storePath, StoreGate.Patience, onWait, stop);
        Change(null, LockKind.Shared, onWait);
    }

    /// <summary>Throws unless this process holds the lock exclusively. The sweep of gc calls this before it removes anything.</summary>
    internal void RequireExclusive() => Step.Require(held == LockKind.Exclusive, "only a process that holds the store alone removes anything from it");

    /// <summary>Gives up the lock.</summary>
    public void Dispose() => file.Dispose();

    private void Change(LockKind? from, LockKind to, Action<LockWait>? onWait)
    {
        Step.Require(held == from, Order);
        Flock.Take(file, to, Subject, onWait, stop);
        held = to;
    }
}
