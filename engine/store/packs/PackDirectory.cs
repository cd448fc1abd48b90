using System.Collections.Concurrent;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Lists the packs in the directory packs/, adds packs and removes them. Thread-safe.</summary>
internal sealed class PackDirectory(SafeFileHandle directory, string path) : IDisposable
{
    private readonly Lock gate = new();
    private readonly Dictionary<Digest, PackFile> opened = [];
    private readonly List<PackFile> replaced = [];
    private PackSet? known;

    /// <summary>The packs that the last listing found.</summary>
    internal PackSet Known
    {
        get
        {
            lock (gate)
            {
                return known ??= new PackSet(List());
            }
        }
    }

    /// <summary>
    /// Gives a complete pack its name, durably. From then on every process can read its trees and commits. The pack's content must be
    /// durable already, and so must everything that its trees need.
    /// </summary>
    internal void Add(PackWriter writer, Digest name)
    {
        writer.GiveName(directory, name);
        SyncName(name);
    }

    /// <summary>
    /// Completes a small pack, makes it durable by an fsync(2) of its file, and gives it its name, durably. Everything that its trees and
    /// commits need must be durable already. Returns the name.
    /// </summary>
    internal Digest AddAlone(PackWriter writer)
    {
        Digest name = writer.Complete();
        writer.SyncAndGiveName(directory, name);
        SyncName(name);
        return name;
    }

    /// <summary>
    /// The right to merge packs, by an exclusive flock(2) on packs/; null if another process has it. It ends when the result is closed.
    /// </summary>
    internal SafeFileHandle? TryTakeMergeTurn()
    {
        SafeFileHandle turn = DirectoryReader.Reopen(directory, path);
        if (Sys.Lock(turn, LockKind.Exclusive, wait: false) == Errno.None)
        {
            return turn;
        }

        turn.Dispose();
        return null;
    }

    /// <summary>Whether nobody can remove a pack, because its file is immutable or append-only.</summary>
    internal bool IsFixed(Digest name) => Sys.Stat(directory, PackWriter.FileName(name), out FileStatus status) == Errno.None && status.IsFixed;

    /// <summary>Whether a directory has the name of a pack.</summary>
    internal bool IsDirectory(Digest name) =>
        Sys.Stat(directory, PackWriter.FileName(name), out FileStatus status) == Errno.None && status.Type == FileType.Directory;

    /// <summary>Removes a pack from the store. Nothing may need the pack any more.</summary>
    internal void Remove(Digest name)
    {
        Errno errno = Sys.Unlink(directory, PackWriter.FileName(name));
        if (errno != Errno.ENOENT)
        {
            errno.ThrowIfFailed("unlinkat", $"{path}/{name}.pack");
        }

        Forget();
    }

    /// <summary>
    /// Forgets the listing, so that the next use lists the directory again. Open packs stay open, because other threads may use them.
    /// </summary>
    internal void Forget()
    {
        lock (gate)
        {
            known = null;
        }
    }

    /// <summary>Closes every pack.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            foreach (PackFile file in opened.Values.Concat(replaced))
            {
                file.Dispose();
            }

            directory.Dispose();
        }
    }

    private void SyncName(Digest added)
    {
        Sys.Sync(directory).ThrowIfFailed("fsync", path);
        lock (gate)
        {
            // A pack that had the name already was replaced: the name means another file now.
            if (opened.Remove(added, out PackFile? old))
            {
                replaced.Add(old);
            }

            known = null;
        }
    }

    /// <summary>
    /// Lists and opens the packs. A pack that is gone when it is opened was merged into another (<see cref="PackMerge"/>), which the next
    /// listing finds.
    /// </summary>
    private PackFile[] List()
    {
        var gone = new HashSet<Digest>();
        while (true)
        {
            List<Digest> names = ListNames();
            int before = gone.Count;
            OpenAll(names, gone);
            if (gone.Count == before)
            {
                return [.. names.Select(name => opened[name])];
            }
        }
    }

    private List<Digest> ListNames()
    {
        using SafeFileHandle listing = DirectoryReader.Reopen(directory, path);
        var names = new List<Digest>();
        var reader = new DirectoryReader();
        reader.Start(listing, path);
        while (reader.Next())
        {
            if (PackWriter.TryParseFileName(reader.Name, out Digest digest))
            {
                names.Add(digest);
            }
        }

        return names;
    }

    /// <summary>Opens packs. Those that are gone are added to <paramref name="gone"/>; one that was there before is only damaged.</summary>
    private void OpenAll(List<Digest> names, HashSet<Digest> gone)
    {
        // If opening a pack fails, the packs that were opened before it are kept, and are closed by Dispose.
        var added = new ConcurrentBag<PackFile>();
        try
        {
            List<Digest> closed = names.FindAll(name => !opened.ContainsKey(name));
            bool[] isThere = ParallelMap.Run(closed, Open, CancellationToken.None);
            gone.UnionWith(closed.Where((_, number) => !isThere[number]));
        }
        finally
        {
            foreach (PackFile file in added)
            {
                opened.Add(file.Name, file);
            }
        }

        bool Open(Digest name)
        {
            string subject = $"{path}/{name}.pack";
            PackFile? file = PackFile.TryOpen(directory, name, subject);
            if (file is null && gone.Contains(name))
            {
                file = PackFile.Unopened(new LinuxException(Errno.ENOENT, "openat", subject), name, subject);
            }

            if (file is not null)
            {
                added.Add(file);
            }

            return file is not null;
        }
    }
}
