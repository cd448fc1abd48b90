using System.Text;
using BenchmarkDotNet.Attributes;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Bench.Parts;

/// <summary>Finds each of 20,000 files in the stat cache, and compares the time with the statx(2) that every look-up needs.</summary>
[MemoryDiagnoser]
public class StatCacheBenchmarks : IDisposable
{
    private const int Files = 20_000;

    private readonly TemporaryDirectory place = new();
    private readonly FileStatus[] statuses = new FileStatus[Files];
    private SafeFileHandle? directory;
    private StatCache? cache;
    private StatCache.Reader? reader;

    [GlobalSetup]
    public void Fill()
    {
        const OpenFlags Flags = OpenFlags.ReadOnly | OpenFlags.Directory;
        Sys.Open(Sys.WorkingDirectory, Encoding.UTF8.GetBytes(place.Path), Flags, out directory).ThrowIfFailed("openat", place.Path);
        cache = StatCache.Open(directory, place.Path, Files);
        reader = cache.NewSession();

        // The time is one some seconds ahead, because the cache does not remember files that have just changed.
        FileTime later = FileTime.Now with { Seconds = FileTime.Now.Seconds + 10 };
        for (int i = 0; i < Files; i++)
        {
            File.WriteAllText(Path.Combine(place.Path, Name(i)), Name(i));
            Sys.Stat(directory, Encoding.ASCII.GetBytes(Name(i)), out statuses[i]).ThrowIfFailed("statx", place.Path);
            reader.Add(statuses[i], new CachedFile(Verity.Compute(Encoding.ASCII.GetBytes(Name(i))), CachedXattrs.None), later);
        }
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Files)]
    public long Statx()
    {
        long size = 0;
        foreach (FileStatus _ in statuses)
        {
            Sys.Stat(directory!, "f0"u8, out FileStatus status).ThrowIfFailed("statx", place.Path);
            size += status.Size;
        }

        return size;
    }

    [Benchmark(OperationsPerInvoke = Files)]
    public int Hit()
    {
        int hits = 0;
        foreach (FileStatus status in statuses)
        {
            hits += reader!.TryFind(status, out _) ? 1 : 0;
        }

        return hits == Files ? hits : throw new InvalidOperationException($"{Files - hits} misses");
    }

    [GlobalCleanup]
    public void Dispose()
    {
        reader?.Dispose();
        cache?.Dispose();
        directory?.Dispose();
        place.Dispose();
        GC.SuppressFinalize(this);
    }

    private static string Name(int number) => $"f{number}";
}
