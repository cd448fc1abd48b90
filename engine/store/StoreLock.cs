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
/// <item>the store's lock: every process holds it as long as it has the store open;</item>
/// <item>the turn for a root (<see cref="RootTurn"/>): a process that makes, changes or removes the root takes it, without waiting;</item>
/// <item>the refs' turn (<see cref="RefTurn"/>): held for milliseconds, because no syncfs(2) happens in it;</item>
/// <item>the lock of the stat cache: taken without waiting.</item>
/// </list>
/// gc holds the first lock shared when it waits for it exclusively. It holds no other lock then.
/// </remarks>
public sealed class StoreLock : IDisposable
{
    private readonly SafeFileHandle file;
    private readonly string subject;
    private readonly CancellationToken stop;
    private LockKind? held;

    private StoreLock(SafeFileHandle file, string subject, CancellationToken stop)
    {
        this.file = file;
        this.subject = subject;
        this.stop = stop;
    }

    /// <summary>Takes the lock shared. <paramref name="onWait"/> is called once if the call must wait for a sweep.</summary>
    internal static StoreLock Take(SafeFileHandle store, string storePath, Action<LockWait>? onWait, CancellationToken stop)
    {
        string subject = $"{storePath}/lock";
        Errno errno = Sys.Open(store, "lock"u8, OpenFlags.ReadOnly | OpenFlags.NoFollow, out SafeFileHandle file);
        if (errno == Errno.ENOENT)
        {
            throw new CorruptException(subject, "missing from the store", new Remedy.MakeFile(subject)) { IsMissing = true };
        }

        errno.ThrowIfFailed("openat", subject);
        var result = new StoreLock(file, subject, stop);
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
    /// Waits until no other process uses the store, and keeps others out until <see cref="Share"/>. flock(2) changes the kind of the lock
    /// in two steps. Another sweep may happen between them, so anything that was read before may be out of date.
    /// </summary>
    internal void Exclude(Action<LockWait>? onWait) => Change(LockKind.Shared, LockKind.Exclusive, onWait);

    /// <summary>Makes the lock shared again.</summary>
    internal void Share() => Change(LockKind.Exclusive, LockKind.Shared, null);

    /// <summary>Throws unless this process holds the lock exclusively. The sweep of gc calls this before it removes anything.</summary>
    internal void RequireExclusive() => Step.Require(held == LockKind.Exclusive, "only a process that holds the store alone removes anything from it");

    /// <summary>Gives up the lock.</summary>
    public void Dispose() => file.Dispose();

    private void Change(LockKind? from, LockKind to, Action<LockWait>? onWait)
    {
        Step.Require(held == from, "the store's lock is taken shared, then exclusive for one sweep at a time");
        Flock.Take(file, to, subject, onWait, stop);
        held = to;
    }
}
