using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>A root that has its name and no record, because the command that made it was killed between the two.</summary>
public static class UnrecordedRoot
{
    /// <summary>
    /// The name of the record of the root that the user named by that name or by its path. If the root lacks its record, that is written before. Throws
    /// <see cref="StoreException"/> if there is no such root.
    /// </summary>
    public static string Require(ObjectStore store, string nameOrPath)
    {
        store.RequireWritable();
        Complete(store, RealPath.OfName(nameOrPath));
        string partial = Roots.PartialName(nameOrPath);
        if (store.Roots.Names().Contains(partial) && store.Roots.Read(partial) is { } build)
        {
            Complete(store, store.Roots.AbsolutePath(build));
        }

        return store.Roots.Require(nameOrPath);
    }

    /// <summary>
    /// Writes the record of such a root, as gc does. Does nothing if what has the path is none, or if another process is at work on it.
    /// </summary>
    public static void Complete(ObjectStore store, string path)
    {
        // A full disk may have no room for the turn, which hardly any root needs.
        if (Find(store, path) is null || !store.Roots.TryTakeTurnAt(path, out RootTurn? turn))
        {
            return;
        }

        using (turn)
        {
            if (Find(store, path) is { } build)
            {
                // The build record stays. It may tell of litter, too.
                turn.Write(RootRecord.OfUnsealed(build));
            }
        }
    }

    private static BuildRecord? Find(ObjectStore store, string path) =>
        store.Roots.Read(Roots.PartialName(store.Roots.NameFor(path))) is BuildRecord build && store.Roots.LacksRecord(build) ? build : null;
}
