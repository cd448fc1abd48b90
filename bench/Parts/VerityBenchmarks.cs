using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;
using HackTree.Model;

namespace HackTree.Bench.Parts;

/// <summary>Compares the blob digest of one segment's bytes with the bare SHA-256 of the same bytes.</summary>
[MemoryDiagnoser]
public class VerityBenchmarks
{
    private readonly byte[] content = new byte[Verity.SegmentSize];
    private readonly byte[] hash = new byte[Digest.Size];

    [GlobalSetup]
    public void Fill() => new Random(1).NextBytes(content);

    [Benchmark(Baseline = true)]
    public int Sha256InOnePiece() => SHA256.HashData(content, hash);

    [Benchmark]
    public Digest FsVerity() => Verity.Compute(content);
}
