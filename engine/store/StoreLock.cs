using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// The store's lock file (flock(2)). Readers and writers hold it shared, together; only the sweep of gc holds it alone.
/// The kernel lets go of it when the process ends, however it ends.
/// </summary>
/// <remarks>
/// All locks are taken in one order, and none is waited for by a process that holds a later one:
/// <list type="number">
/// <item>the store's lock, by everybody, for as long as the store is open;</item>
/// <item>the turn for a root (<see cref="RootTurn"/>), without waiting, by who makes, changes or removes the root;</item>
/// <item>the refs' turn (<see cref="RefTurn"/>), for milliseconds: no syncfs(2) happens in it;</item>
/// <item>the lock of the stat cache, without waiting.</item>
/// </list>
/// gc waits for the first one alone while it has it shared, and holds no other then.
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

    /// <summary>Takes the lock shared; <paramref name="onWait"/> is called once if that must wait for a sweep.</summary>
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
    /// Waits until no other process uses the store, and keeps others out until <see cref="Share"/>. flock(2) changes the
    /// kind in two steps, so what was read before may have been changed by another sweep in between.
    /// </summary>
    internal void Exclude(Action<LockWait>? onWait) => Change(LockKind.Shared, LockKind.Exclusive, onWait);

    /// <summary>Goes back to holding it together with others.</summary>
    internal void Share() => Change(LockKind.Exclusive, LockKind.Shared, null);

    /// <summary>Throws unless this process has the store for itself, as whoever takes something away must.</summary>
    internal void RequireExclusive() => Step.Require(held == LockKind.Exclusive, "only who holds the store alone takes anything out of it");

    /// <summary>Gives the lock up.</summary>
    public void Dispose() => file.Dispose();

    private void Change(LockKind? from, LockKind to, Action<LockWait>? onWait)
    {
        Step.Require(held == from, "the store's lock is taken shared, then exclusive for one sweep at a time");
        Flock.Take(file, to, subject, onWait, stop);
        held = to;
    }
}
