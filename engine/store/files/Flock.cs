using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>A process that holds a lock.</summary>
/// <param name="Process">The process number.</param>
/// <param name="Program">The name of the process's program; null if it cannot be read.</param>
public sealed record LockHolder(int Process, string? Program);

/// <summary>A lock that this process must wait for.</summary>
/// <param name="Path">The file or directory that is locked.</param>
/// <param name="Holders">The processes that hold the lock. Empty if the kernel names none.</param>
/// <param name="Patience">
/// The longest time for which this process waits, to let the holders go first; null if it waits until they have finished.
/// </param>
public sealed record LockWait(string Path, IReadOnlyList<LockHolder> Holders, TimeSpan? Patience);

/// <summary>Takes locks by flock(2), and tells the caller for which processes it waits.</summary>
internal static class Flock
{
    /// <summary>
    /// Takes a lock. If another process holds it, <paramref name="onWait"/> is called once, before the wait. A request to stop ends the
    /// wait.
    /// </summary>
    internal static void Take(SafeFileHandle file, LockKind kind, string path, Action<LockWait>? onWait, CancellationToken stop)
    {
        Errno errno = Sys.Lock(file, kind, wait: false);
        if (errno == Errno.EAGAIN)
        {
            onWait?.Invoke(new LockWait(path, FindHolders(file), Patience: null));
            errno = Stop.Lock(file, kind, stop);
        }

        errno.ThrowIfFailed("flock", path);
    }

    /// <summary>
    /// Takes a lock, or gives up after <paramref name="patience"/>. If another process holds the lock, <paramref name="onWait"/> is called once,
    /// before the wait. False if this process gave up. Then <paramref name="file"/> must be disposed of.
    /// </summary>
    internal static bool TryTake(SafeFileHandle file, LockKind kind, string path, TimeSpan patience, Action<LockWait>? onWait, CancellationToken stop)
    {
        Errno errno = Sys.Lock(file, kind, wait: false);
        if (errno == Errno.EAGAIN)
        {
            onWait?.Invoke(new LockWait(path, FindHolders(file), patience));
            errno = Stop.TryLock(file, kind, patience, stop);
        }

        if (errno == Errno.EAGAIN)
        {
            return false;
        }

        errno.ThrowIfFailed("flock", path);
        return true;
    }

    private static List<LockHolder> FindHolders(SafeFileHandle file)
    {
        var holders = new List<LockHolder>();
        if (Sys.Stat(file, out FileStatus status) != Errno.None)
        {
            return holders;
        }

        IEnumerable<FileLock> locks = FileLock.On(status).Where(held => held.Kind == FileLockKind.Flock && held.Process > 0);
        foreach (int process in locks.Select(held => held.Process).Distinct().Order())
        {
            if (process != Environment.ProcessId)
            {
                holders.Add(new LockHolder(process, ProgramOf(process)));
            }
        }

        return holders;
    }

    /// <summary>The name of a process's program; null if it cannot be read.</summary>
    internal static string? ProgramOf(int process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/comm").TrimEnd('\n');
        }
        catch (IOException)
        {
            // The process has ended since.
            return null;
        }
    }
}
