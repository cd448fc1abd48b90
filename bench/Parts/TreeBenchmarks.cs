using System.Text;
using BenchmarkDotNet.Attributes;
using HackTree.Model;

namespace HackTree.Bench.Parts;

/// <summary>Makes, checks and walks the tree of a directory of 1,000 files.</summary>
[MemoryDiagnoser]
public class TreeBenchmarks
{
    private const int Files = 1000;

    private readonly byte[][] names = [.. Enumerable.Range(0, Files).Select(i => Encoding.ASCII.GetBytes($"libsomething-{i}.so"))];
    private byte[] bytes = [];
    private Tree tree = Tree.Empty;

    [GlobalSetup]
    public void Build()
    {
        tree = Encode();
        bytes = tree.Bytes.ToArray();
    }

    [Benchmark]
    public Tree Encode()
    {
        var builder = new TreeBuilder();
        foreach (byte[] name in names)
        {
            builder.Add(new TreeEntry { Kind = EntryKind.Regular, Name = name, Metadata = new FileMetadata(0x1A4, 0, 0, 1), Size = name.Length });
        }

        return builder.Build();
    }

    [Benchmark]
    public bool Decode() => Tree.TryDecode(bytes, out _, out _);

    [Benchmark]
    public long Walk()
    {
        long size = 0;
        foreach (TreeEntry entry in tree)
        {
            size += entry.Size;
        }

        return size;
    }
}
