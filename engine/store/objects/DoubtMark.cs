using System.Text;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Tells which objects to doubt after somebody ended halfway. A process makes a file in tmp/ durable before it names an object that could
/// turn out wrong, holds it by flock(2), and removes it when that can no longer be. One that nobody holds means that the
/// process died or failed: from then on every object is read before a commit relies on it, until gc has removed all that no commit needs, and
/// the mark with it. There are two kinds. Thread-safe.
/// </summary>
/// <remarks>
/// Unsynced: a filesystem may make a file's name and size durable before its content, so that an object that was never synced
/// comes back from a power cut as zeros of the right length. The mark goes with the sync.
/// Adopting: a file that was moved into the store has its name in the source too until that is taken away; who writes to it there
/// writes into the object. The mark goes when no such name is left.
/// </remarks>
internal sealed class DoubtMark
{
    internal const string Unsynced = "unsynced-";
    internal const string Adopting = "adopting-";

    private readonly SafeFileHandle temporary;
    private readonly string prefix;
    private readonly string subject;
    private readonly Lock gate = new();
    private readonly Lazy<FileTime?> doubtedSince;
    private Held? held;

    internal DoubtMark(SafeFileHandle temporary, string prefix, string subject)
    {
        this.temporary = temporary;
        this.prefix = prefix;
        this.subject = subject;
        doubtedSince = new Lazy<FileTime?>(FindAbandoned);
    }

    /// <summary>
    /// When the first of the marks that nobody holds was made; null where there is none. An object whose inode changed last before that is
    /// none of those the mark was made for. Looked up once: nobody else's power can fail while this process lives.
    /// </summary>
    internal FileTime? DoubtedSince => doubtedSince.Value;

    /// <summary>Whether objects may be there that are not what their names say.</summary>
    internal bool IsInDoubt => DoubtedSince is not null;

    /// <summary>Whether this process has named objects that its mark is for.</summary>
    internal bool IsSet => Volatile.Read(ref held) is not null;

    /// <summary>When this process made its mark; null where it has none.</summary>
    internal FileTime? MadeAt => Volatile.Read(ref held)?.MadeAt;

    /// <summary>To be called before an object gets its name.</summary>
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
                // What others left is told from what is set here by having been there before.
                _ = IsInDoubt;
                Volatile.Write(ref held, Make());
            }
        }
    }

    /// <summary>What to <see cref="End"/>, as after a sync that is about to begin; objects named from now on need another.</summary>
    internal Held? Take()
    {
        lock (gate)
        {
            Held? taken = held;
            held = null;
            return taken;
        }
    }

    /// <summary>Ends a mark: with the objects safe it goes; else it stays, with nobody to hold it.</summary>
    internal void End(Held? taken, bool isSafe)
    {
        if (taken is not null)
        {
            // One that cannot be removed costs the next commit time, and nothing else.
            _ = isSafe ? Sys.Unlink(temporary, taken.Name) : Errno.None;
            taken.File.Dispose();
        }
    }

    private Held Make()
    {
        byte[] name = [.. Encoding.ASCII.GetBytes(prefix), .. TemporaryName.New()];
        Sys.Open(temporary, "."u8, OpenFlags.Temporary | OpenFlags.ReadWrite, out SafeFileHandle file, FileModes.PrivateFile).ThrowIfFailed("openat", subject);
        try
        {
            // Locked before it has a name, so that nobody finds it unheld while its maker lives.
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

    private FileTime? FindAbandoned()
    {
        FileTime? earliest = null;
        using SafeFileHandle directory = DirectoryReader.Reopen(temporary, subject);
        var reader = new DirectoryReader();
        reader.Start(directory, subject);
        while (reader.Next())
        {
            if (reader.Name.StartsWith(Encoding.ASCII.GetBytes(prefix))
                && IsAbandoned(reader.Name, out FileTime made)
                && (earliest is null || made < earliest))
            {
                earliest = made;
            }
        }

        return earliest;
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

            // Between listing and opening its holder may have finished: then it has no name any more.
            if (Sys.Lock(file, LockKind.Shared, wait: false) != Errno.None || Sys.Stat(file, out FileStatus status) != Errno.None)
            {
                return false;
            }

            made = status.ModifyTime;
            return status.LinkCount > 0;
        }
    }

    /// <summary>A mark that this process has set.</summary>
    internal sealed record Held(SafeFileHandle File, byte[] Name, FileTime MadeAt);
}
