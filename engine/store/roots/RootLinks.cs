using HackTree.Model;

namespace HackTree.Store;

/// <summary>Counts the names that roots give to objects: what is left of an object's link count if those roots are removed.</summary>
internal sealed class RootLinks
{
    private readonly ObjectMap<uint> links = new();

    /// <summary>Counts the names in the roots with these records, as they were checked out.</summary>
    internal RootLinks(ObjectStore store, IReadOnlyCollection<string> roots)
    {
        foreach (string root in roots)
        {
            if (store.Roots.Find(root) is { Method: CheckoutMethod.Hardlink or CheckoutMethod.Image } record)
            {
                Add(store, record);
            }
        }
    }

    /// <summary>The number of names that the roots give to an object.</summary>
    internal uint Of(ulong key) => links.TryGet(key, out uint count) ? count : 0;

    /// <summary>Whether a root's file at that path was made as a name of an object.</summary>
    internal static bool IsLinked(RootRecord root, PathBuffer path)
    {
        bool isOwn = root.OwnsEtc && path.Bytes.StartsWith("etc/"u8);
        return !isOwn && (root.Method == CheckoutMethod.Hardlink || (root.Method == CheckoutMethod.Image && ImageRootDirectory.Has(path.Bytes)));
    }

    private void Add(ObjectStore store, RootRecord record) =>
        TreeWalk.Visit(store.Packs, store.Packs.ReadCommit(record.Commit).Tree, (path, in entry) =>
        {
            store.Stop.ThrowIfCancellationRequested();
            if (entry.Kind == EntryKind.Regular && IsLinked(record, path))
            {
                links.GetOrAdd(ObjectKey.Of(store.Blobs.NameOf(entry)), out _)++;
            }

            return true;
        });
}
