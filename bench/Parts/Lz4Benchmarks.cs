using System.Security.Cryptography;
using System.Text;
using BenchmarkDotNet.Attributes;
using HackTree.Model;
using K4os.Compression.LZ4;

namespace HackTree.Bench.Parts;

/// <summary>Packs and unpacks one block of a pack, 64 KiB of trees, with the codec and the settings of packs.</summary>
[MemoryDiagnoser]
public class Lz4Benchmarks
{
    private const int BlockSize = 64 * 1024;

    private readonly byte[] raw = new byte[BlockSize];
    private readonly byte[] room = new byte[LZ4Codec.MaximumOutputSize(BlockSize)];
    private byte[] packed = [];

    [GlobalSetup]
    public void Fill()
    {
        var trees = new MemoryStream();
        for (int number = 0; trees.Length < BlockSize; number++)
        {
            trees.Write(Directory(number).Bytes);
        }

        trees.ToArray().AsSpan(0, BlockSize).CopyTo(raw);
        packed = room[..LZ4Codec.Encode(raw, room)];
        Console.WriteLine($"// {BlockSize} bytes of trees become {packed.Length}");
    }

    [Benchmark]
    public int Pack() => LZ4Codec.Encode(raw, room);

    [Benchmark]
    public int Unpack() => LZ4Codec.Decode(packed, raw);

    /// <summary>A directory like those of an operating system: its names are alike, its digests are not.</summary>
    private static Tree Directory(int number)
    {
        var builder = new TreeBuilder();
        for (int i = 0; i < 14; i++)
        {
            byte[] name = Encoding.ASCII.GetBytes($"module-{number}-part-{i:d2}.so");
            builder.Add(new TreeEntry
            {
                Kind = EntryKind.Regular,
                Name = name,
                Metadata = new FileMetadata(0x1A4, 0, 0, 1_700_000_000 + number),
                Size = 1000 * i,
                Digest = new Digest(SHA256.HashData(name)),
            });
        }

        return builder.Build();
    }
}
