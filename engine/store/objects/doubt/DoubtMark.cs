using System.Text;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Makes and finds marks of one kind. A mark is a file in tmp/. It says that objects may not be what their names say. A process makes the
/// mark durable before it names such an object, holds the mark by flock(2), and removes it when the objects are safe. A mark that nobody
/// holds is abandoned: its process died or failed. <see cref="Doubt"/> says what follows from a mark. Thread-safe.
/// </summary>
internal sealed class DoubtMark
{
    internal const string Unsynced = "unsynced-";
    internal const string Adopting = "adopting-";

    private readonly SafeFileHandle temporary;
    private readonly string prefix;
    private readonly string subject;
    private readonly Lock gate = new();
    private readonly Lazy<MarkTimes?> abandoned;
    private Held? held;

    internal DoubtMark(SafeFileHandle temporary, string prefix, string subject)
    {
        this.temporary = temporary;
        this.prefix = prefix;
        this.subject = subject;
        abandoned = new Lazy<MarkTimes?>(FindAbandoned);
    }

    /// <summary>
    /// The times at which abandoned marks were made; null if there is no abandoned mark. The marks are read once, at the first call, which may be
    /// at any time. A mark that this process holds is not abandoned. If another process abandons an unsynced mark later, that does no harm: a power
    /// cut that damages its objects ends this process too.
    /// </summary>
    internal MarkTimes? Abandoned => abandoned.Value;

    /// <summary>Whether there is an abandoned mark.</summary>
    internal bool IsInDoubt => Abandoned is not null;

    /// <summary>Whether this process holds a mark.</summary>
    internal bool IsSet => Volatile.Read(ref held) is not null;

    /// <summary>The time at which this process made its mark; null if it has no mark.</summary>
    internal FileTime? MadeAt => Volatile.Read(ref held)?.MadeAt;

    /// <summary>
    /// Whether this process's mark covers a file that is adopted now. A file that is younger than the mark would count as made by the store. While
    /// the clock is behind the mark, because it was set back, the file's change time would be too early.
    /// </summary>
    internal bool Covers(in FileStatus file, FileTime now) => MadeAt is { } made && now >= made && !(file.BirthTime >= made);

    /// <summary>Makes a mark, durably, unless this process has one. Call this before an object gets its name.</summary>
    internal void Set()
    {
        if (IsSet)
        {
            return;
        }

        lock (gate)
        {
            if (held is null)
            {
                Volatile.Write(ref held, Make());
            }
        }
    }

    /// <summary>
    /// Takes the mark from this object. The caller begins a sync now, and calls <see cref="End"/> with the mark after it. Objects that are
    /// named from now on need another mark.
    /// </summary>
    internal Held? Take()
    {
        lock (gate)
        {
            Held? taken = held;
            held = null;
            return taken;
        }
    }

    /// <summary>Ends a mark that <see cref="Take"/> returned: removes it if the objects are safe, otherwise abandons it.</summary>
    internal void End(Held? taken, bool isSafe)
    {
        if (taken is not null)
        {
            // A mark that cannot be removed makes the next commit slower, and does no other harm.
            _ = isSafe ? Sys.Unlink(temporary, taken.Name) : Errno.None;

            // A child that this process has just started may still hold a copy of the file, and with it the lock.
            _ = Sys.Unlock(taken.File);
            taken.File.Dispose();
        }
    }

    private Held Make()
    {
        byte[] name = [.. Encoding.ASCII.GetBytes(prefix), .. TemporaryName.New()];
        Sys.Open(temporary, "."u8, OpenFlags.Temporary | OpenFlags.ReadWrite, out SafeFileHandle file, FileModes.PrivateFile).ThrowIfFailed("openat", subject);
        try
        {
            // The file is locked before it has a name, so that no process finds the mark abandoned while its maker lives.
            Sys.Lock(file, LockKind.Exclusive, wait: true).ThrowIfFailed("flock", subject);
            Sys.LinkOpenFile(file, temporary, name).ThrowIfFailed("linkat", subject);
            Sys.Sync(file).ThrowIfFailed("fsync", subject);
            using SafeFileHandle directory = DirectoryReader.Reopen(temporary, subject);
            Sys.Sync(directory).ThrowIfFailed("fsync", subject);
            Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", subject);
            return new Held(file, name, status.ModifyTime);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private MarkTimes? FindAbandoned()
    {
        MarkTimes? times = null;
        using SafeFileHandle directory = DirectoryReader.Reopen(temporary, subject);
        var reader = new DirectoryReader();
        reader.Start(directory, subject);
        while (reader.Next())
        {
            if (reader.Name.StartsWith(Encoding.ASCII.GetBytes(prefix))
                && IsAbandoned(reader.Name, out FileTime made))
            {
                times = times is { } known
                    ? new MarkTimes(made < known.Earliest ? made : known.Earliest, made > known.Latest ? made : known.Latest)
                    : new MarkTimes(made, made);
            }
        }

        return times;
    }

    private bool IsAbandoned(ReadOnlySpan<byte> name, out FileTime made)
    {
        made = default;
        Errno errno = Sys.Open(temporary, name, OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking, out SafeFileHandle file);
        using (file)
        {
            if (errno == Errno.ENOENT)
            {
                return false;
            }

            errno.ThrowIfFailed("openat", subject);

            errno = Sys.Lock(file, LockKind.Shared, wait: false);
            if (errno == Errno.EAGAIN)
            {
                return false;
            }

            // The holder may have ended the mark since the listing. Then the file has no name any more.
            errno.ThrowIfFailed("flock", subject);
            Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", subject);
            made = status.ModifyTime;
            return status.LinkCount > 0;
        }
    }

    /// <summary>When abandoned marks were made.</summary>
    internal readonly record struct MarkTimes(FileTime Earliest, FileTime Latest);

    /// <summary>A mark that this process holds.</summary>
    internal sealed record Held(SafeFileHandle File, byte[] Name, FileTime MadeAt);
}
