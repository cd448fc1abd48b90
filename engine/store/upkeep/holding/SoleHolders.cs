using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// Finds the objects that only one ref or root holds, with its history: what gc would free if just that one went. Each commit and tree is walked
/// twice at most, however many refs hold it, and for a root once more for each path. Takes some 20 bytes of memory for each distinct object.
/// </summary>
public sealed class SoleHolders
{
    private const int Several = -1;

    /// <summary>Who has a tree or an object that one holder has, and that was counted.</summary>
    private const int Counted = -2;

    private readonly ObjectStore store;
    private readonly Dictionary<Holder, int> numbers = [];
    private readonly Dictionary<Digest, int> commits = [];
    private readonly Dictionary<Digest, int> trees = [];
    private readonly ObjectMap<int> objects = new();

    /// <summary>The space that was counted, by a holder's number.</summary>
    private readonly Dictionary<int, long> freed = [];

    private ILookup<int, Digest>? soleCommits;

    private SoleHolders(ObjectStore store) => this.store = store;

    /// <summary>The commits that only one holder has, by its number.</summary>
    private ILookup<int, Digest> SoleCommits =>
        soleCommits ??= commits.Where(pair => pair.Value != Several).ToLookup(pair => pair.Value, pair => pair.Key);

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

        if (!freed.TryGetValue(number, out long bytes))
        {
            bytes = CountBytes(number, holder.Kind == HolderKind.Root ? store.Roots.Find(holder.Name) : null);
            freed.Add(number, bytes);
        }

        return bytes;
    }

    /// <summary>Counts the space of the objects that only one holder has, each once: it is marked after that.</summary>
    private long CountBytes(int number, RootRecord? root)
    {
        var links = new ObjectMap<uint>();
        if (root is not null)
        {
            // A root gives a name to an object for each path.
            VisitSole(number, isLast: false, (path, name, key) =>
            {
                if (RootLinks.IsLinked(root, path))
                {
                    links.GetOrAdd(key, out _)++;
                }
            });
        }

        long bytes = 0;
        VisitSole(number, isLast: true, (_, name, key) =>
        {
            links.TryGet(key, out uint own);
            bool isLastName = store.Blobs.TryStat(name, out FileStatus status) && status.LinkCount - own == 1;
            bytes += isLastName ? status.AllocatedBytes : 0;
            objects.Set(key, Counted);
        });
        return bytes;
    }

    /// <summary>Visits the objects that only one holder has and that were not counted yet, at each path. The last visit comes once to each tree.</summary>
    private void VisitSole(int number, bool isLast, Action<PathBuffer, ObjectName, ulong> visit)
    {
        bool Visit(PathBuffer path, in TreeEntry entry)
        {
            store.Stop.ThrowIfCancellationRequested();
            if (entry.Kind == EntryKind.Regular)
            {
                ObjectName name = store.Blobs.NameOf(entry);
                ulong key = ObjectKey.Of(name);
                if (objects.TryGet(key, out int owner) && owner == number)
                {
                    visit(path, name, key);
                }
            }

            // A tree that others have too has no object of this one alone.
            bool isSole = entry.IsDirectory && trees[entry.Digest] == number;
            if (isSole && isLast)
            {
                trees[entry.Digest] = Counted;
            }

            return isSole;
        }

        foreach (Digest commit in SoleCommits[number])
        {
            TreeWalk.Visit(store.Packs, store.Packs.ReadCommit(commit).Tree, Visit);
        }
    }

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
                    ref int owner = ref objects.GetOrAdd(ObjectKey.Of(store.Blobs.NameOf(entry)), out bool isKnown);
                    _ = Mark(ref owner, isKnown, number);
                }
                else if (entry.IsDirectory && Mark(trees, entry.Digest, number))
                {
                    waiting.Push(entry.Digest);
                }
            }
        }
    }

    private static bool Mark(Dictionary<Digest, int> owners, Digest thing, int number)
    {
        ref int owner = ref CollectionsMarshal.GetValueRefOrAddDefault(owners, thing, out bool isKnown);
        return Mark(ref owner, isKnown, number);
    }

    /// <summary>Notes that a holder has a thing. False if that is known, or if it is known that several have it.</summary>
    private static bool Mark(ref int owner, bool isKnown, int number)
    {
        if (isKnown && (owner == number || owner == Several))
        {
            return false;
        }

        owner = isKnown ? Several : number;
        return true;
    }
}
