using System.Globalization;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// The store's lock file (flock(2)). Readers and writers hold it shared, together; only the sweep of gc holds it alone.
/// The kernel lets go of it when the process ends, however it ends.
/// </summary>
public sealed class StoreLock : IDisposable
{
    private readonly SafeFileHandle file;
    private readonly string subject;
    private readonly CancellationToken stop;

    private StoreLock(SafeFileHandle file, string subject, CancellationToken stop)
    {
        this.file = file;
        this.subject = subject;
        this.stop = stop;
    }

    /// <summary>Takes the lock shared; <paramref name="onWait"/> is called once if that must wait for a sweep.</summary>
    internal static StoreLock Take(SafeFileHandle store, string storePath, Action<string>? onWait, CancellationToken stop)
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
            result.Change(LockKind.Shared, onWait);
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
    internal void Exclude(Action<string>? onWait) => Change(LockKind.Exclusive, onWait);

    /// <summary>Goes back to holding it together with others.</summary>
    internal void Share() => Change(LockKind.Shared, null);

    /// <summary>Gives the lock up.</summary>
    public void Dispose() => file.Dispose();

    private void Change(LockKind kind, Action<string>? onWait)
    {
        Errno errno = Sys.Lock(file, kind, wait: false);
        if (errno == Errno.EAGAIN)
        {
            onWait?.Invoke($"waiting for {Holders()} to finish with {subject}");
            errno = Stop.Lock(file, kind, stop);
        }

        errno.ThrowIfFailed("flock", subject);
    }

    /// <summary>Who holds the lock, from /proc/locks (proc(5)): "1: FLOCK ADVISORY READ 1234 08:01:5678 0 EOF".</summary>
    private string Holders()
    {
        if (Sys.Stat(file, out FileStatus status) != Errno.None || !File.Exists("/proc/locks"))
        {
            return "another process";
        }

        var holders = new SortedSet<int>();
        foreach (string line in File.ReadLines("/proc/locks"))
        {
            string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            bool isThisFile = fields.Length > 5 && fields[1] == "FLOCK" && fields[5].EndsWith($":{status.Inode}", StringComparison.Ordinal);
            if (isThisFile && int.TryParse(fields[4], CultureInfo.InvariantCulture, out int pid) && pid != Environment.ProcessId)
            {
                holders.Add(pid);
            }
        }

        return holders.Count == 0 ? "another process" : string.Join(", ", holders.Select(Describe));
    }

    private static string Describe(int pid)
    {
        try
        {
            return $"{File.ReadAllText($"/proc/{pid}/comm").Trim()} (process {pid})";
        }
        catch (IOException)
        {
            return $"process {pid}";
        }
    }
}
