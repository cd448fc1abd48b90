using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>A root that has its name and no record, because the command that made it was killed between the two.</summary>
public static class UnrecordedRoot
{
    /// <summary>
    /// Writes the record of such a root, as gc does. Does nothing if what has the path is none, or if another process is at work on it.
    /// </summary>
    public static void Complete(ObjectStore store, string path)
    {
        if (!store.Roots.TryTakeTurnAt(path, out RootTurn? turn))
        {
            return;
        }

        using (turn)
        {
            if (store.Roots.Read(Roots.PartialName(store.Roots.NameFor(path))) is BuildRecord build && store.Roots.LacksRecord(build))
            {
                // The build record stays. It may tell of litter, too.
                turn.Write(RootRecord.OfUnsealed(build));
            }
        }
    }
}
