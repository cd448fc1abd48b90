using HackTree.Model;

namespace HackTree.Store;

/// <summary>Counts how much content commits share. Takes some 25 bytes of memory for each distinct object.</summary>
internal sealed class SharingCount(ObjectStore store)
{
    private const int Several = -1;

    private readonly ObjectMap<(int First, int Latest)> users = new();
    private readonly Dictionary<Digest, int> numbers = [];
    private readonly List<long> distinct = [];
    private readonly List<long> unique = [];

    /// <summary>Bytes of content of the objects that any of the commits uses, each object once.</summary>
    internal long UnionBytes { get; private set; }

    /// <summary>Adds a commit, without its history. A commit that was added already is ignored.</summary>
    internal void Add(Digest commit)
    {
        if (numbers.TryAdd(commit, distinct.Count))
        {
            distinct.Add(0);
            unique.Add(0);
            var walk = new LiveWalk(store.Packs, (LiveWalk _, in TreeEntry entry) => AddFile(distinct.Count - 1, entry), onFault: null, store.Stop);
            walk.Add(commit, default, 0);
        }
    }

    /// <summary>Bytes of content of the objects that a commit uses, each object once.</summary>
    internal long DistinctBytes(Digest commit) => distinct[numbers[commit]];

    /// <summary>Bytes of content of the objects that no other added commit uses.</summary>
    internal long UniqueBytes(Digest commit) => unique[numbers[commit]];

    private void AddFile(int number, in TreeEntry entry)
    {
        ref (int First, int Latest) user = ref users.GetOrAdd(ObjectKey.Of(store.Blobs.NameOf(entry)), out bool isKnown);
        if (isKnown && user.Latest == number)
        {
            return;
        }

        distinct[number] += entry.Size;
        if (!isKnown)
        {
            UnionBytes += entry.Size;
            unique[number] += entry.Size;
        }
        else if (user.First != Several)
        {
            unique[user.First] -= entry.Size;
        }

        user = (isKnown ? Several : number, number);
    }
}
