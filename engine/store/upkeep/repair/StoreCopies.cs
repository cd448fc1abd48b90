using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// The objects of a store as copies: objects with the same content and other metadata, damaged objects of which only the metadata is damaged, and
/// damaged inodes that were kept. The store may be the one that is repaired.
/// </summary>
public sealed class StoreCopies : FileCopies
{
    private readonly ObjectStore from;
    private readonly bool isOwn;

    private StoreCopies(ObjectStore from, bool isOwn, CancellationToken stop)
        : base(stop) =>
        (this.from, this.isOwn) = (from, isOwn);

    /// <inheritdoc/>
    public override string Name => isOwn ? "this store" : $"the store {from.Path}";

    /// <summary>Opens another store than the one that is repaired. Throws <see cref="StoreException"/> if it is that one, or no store.</summary>
    public static StoreCopies Open(ObjectStore repaired, string path)
    {
        ObjectStore other = ObjectStore.Open(path, repaired.OnWait, repaired.Stop);
        try
        {
            other.RequireReadable();
            return other.Identity() == repaired.Identity()
                ? throw new StoreException($"{path}: it is the store that is repaired; its own copies are looked at without that")
                : new StoreCopies(other, isOwn: false, repaired.Stop);
        }
        catch
        {
            other.Dispose();
            throw;
        }
    }

    /// <summary>The objects of the store that is repaired.</summary>
    internal static StoreCopies Own(ObjectStore store) => new(store, isOwn: true, store.Stop);

    /// <inheritdoc/>
    public override void AttachPacks(ObjectStore store)
    {
        if (!isOwn)
        {
            store.Packs.AttachAll(from);
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        if (!isOwn)
        {
            from.Dispose();
        }

        base.Dispose();
    }

    /// <inheritdoc/>
    protected override IEnumerable<CopyCandidate> Candidates(IReadOnlyDictionary<Digest, long> wanted)
    {
        foreach (byte fan in wanted.Keys.Select(blob => new ObjectName(blob, default, 0).Fanout).Distinct().Where(from.Blobs.HasFan))
        {
            foreach (ObjectName name in List(fan).Where(name => wanted.ContainsKey(name.Blob)))
            {
                yield return new CopyCandidate(name.Blob, $"files/{name}", () => from.Blobs.Open(name, out _));
            }
        }

        foreach (DamagedInode inode in from.Damaged.List().Where(inode => wanted.ContainsKey(inode.Object.Blob)))
        {
            yield return new CopyCandidate(inode.Object.Blob, inode.Path, () => from.Damaged.TryOpen(inode, out _));
        }
    }

    private List<ObjectName> List(byte fan)
    {
        var names = new List<ObjectName>();
        using SafeFileHandle directory = from.Blobs.OpenFan(fan);
        var reader = new DirectoryReader();
        reader.Start(directory, $"{from.Path}/files/{fan:x2}");
        while (reader.Next())
        {
            if (ObjectName.TryParse(fan, reader.Name, out ObjectName name))
            {
                names.Add(name);
            }
        }

        return names;
    }
}
