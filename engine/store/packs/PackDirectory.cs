using System.Collections.Concurrent;
using System.Text;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>The directory packs/: which packs are there, and how they come and go. Thread-safe.</summary>
internal sealed class PackDirectory(SafeFileHandle directory, string path) : IDisposable
{
    private readonly Lock gate = new();
    private readonly Dictionary<Digest, PackFile> opened = [];
    private readonly List<PackFile> replaced = [];
    private PackSet? known;

    /// <summary>The packs that were there at the last look.</summary>
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
    /// Gives a complete pack its name, durably; from then on everybody can read what it holds. Its content, and all that its
    /// trees need, must be durable already.
    /// </summary>
    internal void Add(PackWriter writer, Digest name)
    {
        writer.GiveName(directory, name);
        SyncName(name);
    }

    /// <summary>
    /// Completes a small pack, makes it durable by an fsync of its own, and gives it its name, durably. All that its objects need must be durable
    /// already.
    /// </summary>
    internal void AddAlone(PackWriter writer)
    {
        Digest name = writer.Complete();
        writer.SyncAndGiveName(directory, name);
        SyncName(name);
    }

    /// <summary>Removes a pack, which nothing needs any more, from the store.</summary>
    internal void Remove(Digest name)
    {
        Errno errno = Sys.Unlink(directory, PackWriter.FileName(name));
        if (errno != Errno.ENOENT)
        {
            errno.ThrowIfFailed("unlinkat", $"{path}/{name}.pack");
        }

        Forget();
    }

    /// <summary>Looks at the directory again at the next use. Packs in use by other threads stay open until the end.</summary>
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
            // One that had the name already is another file now.
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

        // What was opened before one fails stays, and is closed with the rest.
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
