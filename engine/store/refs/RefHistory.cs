using HackTree.Model;

namespace HackTree.Store;

/// <summary>Looks for a commit in histories.</summary>
public static class RefHistory
{
    /// <summary>Whether a ref names a commit or one of its descendants. Throws <see cref="StoreException"/> if a ref cannot be read.</summary>
    public static bool Has(ObjectStore store, Digest commit) => Has(store, store.Refs.All(_ => { }).Select(named => named.Commit), commit);

    /// <summary>Whether a commit is one of those given, or an ancestor of one.</summary>
    public static bool Has(ObjectStore store, IEnumerable<Digest> newest, Digest commit)
    {
        var seen = new HashSet<Digest>();
        var rest = new Stack<Digest>(newest);
        while (rest.TryPop(out Digest next))
        {
            if (next == commit)
            {
                return true;
            }

            // gc may have cut the history.
            if (seen.Add(next) && store.Packs.TryReadCommit(next, out Commit? found))
            {
                foreach (Digest parent in found.Parents)
                {
                    rest.Push(parent);
                }
            }
        }

        return false;
    }
}
