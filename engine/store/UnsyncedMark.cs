using System.Text;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// Tells after a power cut which objects to doubt. A filesystem may make a file's name and size durable before its
/// content, so that an object that was never synced comes back as zeros of the right length. Therefore a process makes a
/// file in tmp/ durable before it names its first object, holds it by flock(2), and removes it when all is synced. One
/// that nobody holds means that somebody died before his sync: from then on every object is read before a commit relies
/// on it, until gc has removed all that no commit needs, and the mark with it. Thread-safe.
/// </summary>
internal sealed class UnsyncedMark
{
    private const string Prefix = "unsynced-";

    private readonly SafeFileHandle temporary;
    private readonly string subject;
    private readonly Lock gate = new();
    private readonly Lazy<bool> isInDoubt;
    private Held? held;

    internal UnsyncedMark(SafeFileHandle temporary, string subject)
    {
        this.temporary = temporary;
        this.subject = subject;
        isInDoubt = new Lazy<bool>(FindAbandoned);
    }

    /// <summary>
    /// Whether objects may be there that are not what their names say. Looked up once: nobody else's power can fail
    /// while this process lives.
    /// </summary>
    internal bool IsInDoubt => isInDoubt.Value;

    /// <summary>Whether this process has named objects since the last sync.</summary>
    internal bool IsSet => Volatile.Read(ref held) is not null;

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

    /// <summary>What to <see cref="End"/> after a sync that is about to begin; objects named from now on need another.</summary>
    internal Held? Take()
    {
        lock (gate)
        {
            Held? taken = held;
            held = null;
            return taken;
        }
    }

    /// <summary>Ends a mark: with the objects durable it goes; else it stays, with nobody to hold it.</summary>
    internal void End(Held? taken, bool isDurable)
    {
        if (taken is not null)
        {
            // One that cannot be removed costs the next commit time, and nothing else.
            _ = isDurable ? Sys.Unlink(temporary, taken.Name) : Errno.None;
            taken.File.Dispose();
        }
    }

    private Held Make()
    {
        byte[] name = [.. Encoding.ASCII.GetBytes(Prefix), .. AtomicFile.TemporaryName()];
        Sys.Open(temporary, "."u8, OpenFlags.Temporary | OpenFlags.ReadWrite, out SafeFileHandle file, 0x180).ThrowIfFailed("openat", subject);
        try
        {
            // Locked before it has a name, so that nobody finds it unheld while its maker lives.
            Sys.Lock(file, LockKind.Exclusive, wait: true).ThrowIfFailed("flock", subject);
            Sys.LinkOpenFile(file, temporary, name).ThrowIfFailed("linkat", subject);
            Sys.Sync(file).ThrowIfFailed("fsync", subject);
            using SafeFileHandle directory = DirectoryReader.Reopen(temporary, subject);
            Sys.Sync(directory).ThrowIfFailed("fsync", subject);
            return new Held(file, name);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private bool FindAbandoned()
    {
        using SafeFileHandle directory = DirectoryReader.Reopen(temporary, subject);
        var reader = new DirectoryReader();
        reader.Start(directory, subject);
        while (reader.Next())
        {
            if (reader.Name.StartsWith(Encoding.ASCII.GetBytes(Prefix)) && IsAbandoned(reader.Name))
            {
                return true;
            }
        }

        return false;
    }

    private bool IsAbandoned(ReadOnlySpan<byte> name)
    {
        Errno errno = Sys.Open(temporary, name, OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking, out SafeFileHandle file);
        using (file)
        {
            if (errno == Errno.ENOENT)
            {
                return false;
            }

            errno.ThrowIfFailed("openat", subject);

            // Between listing and opening its holder may have finished: then it has no name any more.
            return Sys.Lock(file, LockKind.Shared, wait: false) == Errno.None
                && Sys.Stat(file, out FileStatus status) == Errno.None
                && status.LinkCount > 0;
        }
    }

    /// <summary>A mark that this process has set.</summary>
    internal sealed record Held(SafeFileHandle File, byte[] Name);
}
