using System.Security.Cryptography;
using System.Text;
using BenchmarkDotNet.Attributes;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Bench.Parts;

/// <summary>Compares the digest of one large file, read and hashed on every core, with its SHA-256 in one piece on one core.</summary>
[MemoryDiagnoser]
public class LargeFileBenchmarks : IDisposable
{
    private const int Size = 256 * 1024 * 1024;

    private readonly TemporaryDirectory place = new();

    private string File => Path.Combine(place.Path, "large");

    [GlobalSetup]
    public void Fill()
    {
        byte[] content = new byte[Size];
        new Random(1).NextBytes(content);
        System.IO.File.WriteAllBytes(File, content);
    }

    [Benchmark(Baseline = true)]
    public int Sha256OnOneThread()
    {
        using var stream = new FileStream(File, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1024 * 1024);
        return SHA256.HashData(stream).Length;
    }

    [Benchmark]
    public Digest FsVerityOnAllThreads()
    {
        Sys.Open(Sys.WorkingDirectory, Encoding.UTF8.GetBytes(File), OpenFlags.ReadOnly, out SafeFileHandle file).ThrowIfFailed("openat", File);
        using (file)
        {
            Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", File);
            return Blobs.HashFile(file, status, File);
        }
    }

    [GlobalCleanup]
    public void Dispose()
    {
        place.Dispose();
        GC.SuppressFinalize(this);
    }
}
