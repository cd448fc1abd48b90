using System.Collections.Concurrent;
using System.Text;
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
    /// commits need must be durable already.
    /// </summary>
    internal void AddAlone(PackWriter writer)
    {
        Digest name = writer.Complete();
        writer.SyncAndGiveName(directory, name);
        SyncName(name);
    }

    /// <summary>Whether nobody can remove a pack, because its file is immutable or append-only.</summary>
    internal bool IsFixed(Digest name) => Sys.Stat(directory, PackWriter.FileName(name), out FileStatus status) == Errno.None && status.IsFixed;

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

    private PackFile[] List()
    {
        using SafeFileHandle listing = DirectoryReader.Reopen(directory, path);
        var names = new List<Digest>();
        var reader = new DirectoryReader();
        reader.Start(listing, path);
        while (reader.Next())
        {
            string name = Encoding.ASCII.GetString(reader.Name);
            if (name.EndsWith(".pack", StringComparison.Ordinal) && Digest.TryParse(name.AsSpan(0, name.Length - 5), out Digest digest))
            {
                names.Add(digest);
            }
        }

        // If opening a pack fails, the packs that were opened before it are kept, and are closed by Dispose.
        var added = new ConcurrentBag<PackFile>();
        try
        {
            _ = ParallelMap.Run(names.FindAll(name => !opened.ContainsKey(name)), Open, CancellationToken.None);
        }
        finally
        {
            foreach (PackFile file in added)
            {
                opened.Add(file.Name, file);
            }
        }

        return [.. names.Select(name => opened[name])];

        PackFile Open(Digest name)
        {
            var file = PackFile.Open(directory, name, $"{path}/{name}.pack");
            added.Add(file);
            return file;
        }
    }
}
