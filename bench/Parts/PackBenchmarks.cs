using System.Text;
using BenchmarkDotNet.Attributes;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Bench.Parts;

/// <summary>Looks up and reads trees, in random order, in a store with one pack of 100,000 trees.</summary>
[MemoryDiagnoser]
public class PackBenchmarks : IDisposable
{
    private const int Objects = 100_000;
    private const int Asked = 1000;

    private readonly TemporaryDirectory place = new();
    private readonly Digest[] present = new Digest[Asked];
    private readonly Digest[] absent = new Digest[Asked];
    private ObjectStore? store;

    [GlobalSetup]
    public void Fill()
    {
        string path = Path.Combine(place.Path, "objects");
        ObjectStore.Create(path, new StoreFormat { UserMode = true });
        store = ObjectStore.Open(path);
        using var additions = new Additions(store);
        var digests = new Digest[Objects];
        for (int i = 0; i < Objects; i++)
        {
            Tree tree = SmallTree(i);
            digests[i] = Tree.DigestOf(tree.Bytes);
            _ = additions.Pack.Add(PackedKind.Tree, digests[i], tree.Bytes);
        }

        _ = additions.Publish();
        var random = new Random(1);
        for (int i = 0; i < Asked; i++)
        {
            present[i] = digests[random.Next(Objects)];
            absent[i] = Tree.DigestOf(SmallTree(Objects + i).Bytes);
        }
    }

    [Benchmark(OperationsPerInvoke = Asked)]
    public int FindPresent() => Count(present);

    [Benchmark(OperationsPerInvoke = Asked)]
    public int FindAbsent() => Count(absent);

    /// <summary>Includes unpacking a block, because the next tree is in another block.</summary>
    [Benchmark(OperationsPerInvoke = Asked)]
    public int ReadTree()
    {
        int entries = 0;
        foreach (Digest digest in present)
        {
            entries += store!.Packs.ReadTree(digest).Count;
        }

        return entries;
    }

    [GlobalCleanup]
    public void Dispose()
    {
        store?.Dispose();
        place.Dispose();
        GC.SuppressFinalize(this);
    }

    private int Count(Digest[] digests)
    {
        int found = 0;
        foreach (Digest digest in digests)
        {
            found += store!.Packs.Contains(digest) ? 1 : 0;
        }

        return found;
    }

    /// <summary>A directory of ten files that no other directory has.</summary>
    private static Tree SmallTree(int number)
    {
        var builder = new TreeBuilder();
        for (int i = 0; i < 10; i++)
        {
            builder.Add(new TreeEntry
            {
                Kind = EntryKind.Regular,
                Name = Encoding.ASCII.GetBytes($"file-{i}-of-{number}"),
                Metadata = new FileMetadata(0x1A4, 0, 0, number),
                Size = i,
            });
        }

        return builder.Build();
    }
}
