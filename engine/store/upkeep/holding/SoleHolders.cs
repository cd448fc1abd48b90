using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// Finds the objects that only one ref or root holds, with its history: what gc would free if just that one went. Each commit and tree is walked
/// twice at most, however many refs and roots hold it. Takes some 30 bytes of memory for each distinct object.
/// </summary>
public sealed class SoleHolders
{
    private const int Several = -1;

    private readonly ObjectStore store;
    private readonly Dictionary<Holder, int> numbers = [];
    private readonly Dictionary<Digest, int> commits = [];
    private readonly Dictionary<Digest, int> trees = [];
    private readonly Dictionary<ulong, int> objects = [];

    /// <summary>The commits that only one holder has, by its number.</summary>
    private ILookup<int, Digest> soleCommits = Array.Empty<Digest>().ToLookup(_ => 0);

    private SoleHolders(ObjectStore store) => this.store = store;

    /// <summary>Looks at every ref and root. Throws <see cref="CorruptException"/> if a commit or tree that one needs cannot be read.</summary>
    public static SoleHolders Find(ObjectStore store)
    {
        var found = new SoleHolders(store);
        var all = new Holders(store, new KeptHistory(), withoutRoots: []);
        all.Look(_ => { });

        // Refs come before roots. So if a commit is reached again, its ancestors were marked by everybody who marked the commit.
        foreach (Held held in all.All.Concat(all.InFixedPacks().Select(pack => pack.Held)))
        {
            found.Add(held);
        }

        found.soleCommits = found.commits.Where(pair => pair.Value != Several).ToLookup(pair => pair.Value, pair => pair.Key);
        return found;
    }

    /// <summary>
    /// Space on disk of the objects that only this ref holds, or this root, by the name of its record: what gc reports as freed if the ref is
    /// deleted or the root removed before. Objects that would live on under a name outside the store do not count. Packs do not count, because
    /// how they shrink depends on their neighbours. 0 for a ref or root that there is not.
    /// </summary>
    public long BytesFreedWithout(Holder holder)
    {
        if (!numbers.TryGetValue(holder, out int number))
        {
            return 0;
        }

        RootRecord? root = holder.Kind == HolderKind.Root ? store.Roots.Find(holder.Name) : null;
        var sole = new Dictionary<ulong, (ObjectName Name, uint Links)>();
        var walked = new HashSet<Digest>();
        foreach (Digest commit in soleCommits[number])
        {
            CountLinks(commit, number, root, walked, sole);
        }

        long bytes = 0;
        foreach ((ObjectName name, uint links) in sole.Values)
        {
            store.Stop.ThrowIfCancellationRequested();
            bool isLast = store.Blobs.TryStat(name, out FileStatus status) && status.LinkCount - links == 1;
            bytes += isLast ? status.AllocatedBytes : 0;
        }

        return bytes;
    }

    /// <summary>Finds a commit's objects that only one holder has, and how many names a root gives to each.</summary>
    private void CountLinks(Digest commit, int number, RootRecord? root, HashSet<Digest> walked, Dictionary<ulong, (ObjectName Name, uint Links)> sole) =>
        TreeWalk.Visit(store.Packs, store.Packs.ReadCommit(commit).Tree, (path, in entry) =>
        {
            store.Stop.ThrowIfCancellationRequested();
            if (entry.Kind == EntryKind.Regular)
            {
                ObjectName name = store.Blobs.NameOf(entry);
                ulong key = ObjectKey.Of(name);
                if (objects[key] == number)
                {
                    uint links = root is not null && RootLinks.IsLinked(root, path) ? 1u : 0;
                    sole[key] = (name, sole.GetValueOrDefault(key).Links + links);
                }
            }

            // A tree that others have too has no object of this one alone. A root gives a name to an object for each path.
            return entry.IsDirectory && trees[entry.Digest] == number && (root is not null || walked.Add(entry.Digest));
        });

    private void Add(Held held)
    {
        if (!numbers.TryGetValue(held.Holder, out int number))
        {
            number = numbers.Count;
            numbers.Add(held.Holder, number);
        }

        var waiting = new Queue<(Digest Commit, int Generations)>();
        waiting.Enqueue((held.Commit, held.Generations));
        while (waiting.TryDequeue(out (Digest Commit, int Generations) next))
        {
            if (!Mark(commits, next.Commit, number) || !TryRead(next.Commit, held, out Commit? commit))
            {
                continue;
            }

            AddTree(commit.Tree, number);
            foreach (Digest parent in next.Generations > 0 ? commit.Parents : [])
            {
                waiting.Enqueue((parent, next.Generations));
            }
        }
    }

    /// <summary>Reads a commit. False for a missing ancestor, because histories may be cut.</summary>
    private bool TryRead(Digest digest, in Held held, [NotNullWhen(true)] out Commit? commit)
    {
        if (digest == held.Commit)
        {
            commit = store.Packs.ReadCommit(digest);
            return true;
        }

        if (store.Packs.TryReadCommit(digest, out commit))
        {
            return true;
        }

        commits.Remove(digest);
        return false;
    }

    private void AddTree(Digest root, int number)
    {
        var waiting = new Stack<Digest>();
        if (Mark(trees, root, number))
        {
            waiting.Push(root);
        }

        while (waiting.TryPop(out Digest digest))
        {
            store.Stop.ThrowIfCancellationRequested();
            foreach (TreeEntry entry in store.Packs.ReadTree(digest))
            {
                if (entry.Kind == EntryKind.Regular)
                {
                    _ = Mark(objects, ObjectKey.Of(store.Blobs.NameOf(entry)), number);
                }
                else if (entry.IsDirectory && Mark(trees, entry.Digest, number))
                {
                    waiting.Push(entry.Digest);
                }
            }
        }
    }

    /// <summary>Notes that a holder has a thing. False if that is known, or if it is known that several have it.</summary>
    private static bool Mark<T>(Dictionary<T, int> owners, T thing, int number)
        where T : notnull
    {
        ref int owner = ref CollectionsMarshal.GetValueRefOrAddDefault(owners, thing, out bool isKnown);
        if (isKnown && (owner == number || owner == Several))
        {
            return false;
        }

        owner = isKnown ? Several : number;
        return true;
    }
}
