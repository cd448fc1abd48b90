using System.Buffers.Binary;
using System.Text;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Store;

/// <summary>A directory with a stat cache, and invented files whose values all follow from their number and version.</summary>
internal sealed class StatCacheWorld : IDisposable
{
    /// <summary>The time at which all statuses are taken: long after every file's times.</summary>
    public static readonly FileTime Now = new(2_000_000_000, 0);

    /// <summary>The filesystem that all files are on.</summary>
    public static readonly CachedFilesystem Filesystem = new(8UL << 32, 0x1122334455667788);

    private readonly TempDirectory? temporary;
    private readonly SafeFileHandle handle;

    public StatCacheWorld(string? path = null)
    {
        temporary = path is null ? new TempDirectory() : null;
        Path = path ?? temporary!.Path;
        Sys.Open(Sys.WorkingDirectory, Encoding.UTF8.GetBytes(Path), OpenFlags.Directory, out handle).ThrowIfFailed("openat", Path);
    }

    public string Path { get; }

    public string CachePath => System.IO.Path.Combine(Path, "cache");

    public string[] Files => [.. Directory.EnumerateFiles(CachePath).Order(StringComparer.Ordinal)];

    /// <summary>
    /// Opens the cache. It waits for the lock, because a child process of another test may hold it a moment longer: between fork and exec the
    /// child has all open files of this process.
    /// </summary>
    public StatCache Open(long expectedEntries = 0)
    {
        for (int tries = 0; ; tries++)
        {
            StatCache cache = StatCache.Open(handle, Path, expectedEntries);
            if (tries == 20 || cache.Disabled?.Contains("another process", StringComparison.Ordinal) != true)
            {
                return cache;
            }

            Thread.Sleep(5);
        }
    }

    /// <summary>A reader that has entered <see cref="Filesystem"/>.</summary>
    public static StatCache.Reader NewReader(StatCache cache)
    {
        StatCache.Reader reader = cache.NewSession();
        reader.Filesystem = Filesystem;
        return reader;
    }

    public static FileStatus Status(int number, int version = 0, Func<RawStatx, RawStatx>? change = null)
    {
        var raw = new RawStatx
        {
            DevMajor = 8,
            Ino = (ulong)number,
            Size = (ulong)(number * 7L),
            Mtime = new RawStatxTime { Seconds = 1_500_000_000 + number, Nanoseconds = (uint)version },
            Ctime = new RawStatxTime { Seconds = 1_600_000_000 + number, Nanoseconds = (uint)(version * 3) },
        };
        return new FileStatus(change is null ? raw : change(raw));
    }

    public static CachedFile File(int number, int version = 0)
    {
        Span<byte> bytes = stackalloc byte[Digest.Size];
        bytes.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(bytes, number + 1);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[20..], version);
        CachedXattrs xattrs = ((number + version) % 5) switch { 0 => CachedXattrs.Of(bytes), 1 => CachedXattrs.Unknown, _ => CachedXattrs.None };
        return new CachedFile(new Digest(bytes), xattrs);
    }

    /// <summary>Makes a cache of files 0 to <paramref name="count"/> - 1, and saves it.</summary>
    public void Fill(int count, int version = 0)
    {
        using StatCache cache = Open(count);
        using (StatCache.Reader reader = NewReader(cache))
        {
            for (int i = 0; i < count; i++)
            {
                reader.Add(Status(i, version), File(i, version), Now);
            }
        }

        Assert.True(cache.Save(), cache.Disabled);
    }

    /// <summary>Looks all files up, in an odd order. Fails if an answer is wrong. Returns the number of hits.</summary>
    public static int CountHits(StatCache cache, int count, int version = 0)
    {
        using StatCache.Reader reader = NewReader(cache);
        int hits = 0;
        for (int i = 0; i < count; i++)
        {
            int number = (int)((i * 7919L) % count);
            if (reader.TryFind(Status(number, version), out CachedFile found))
            {
                hits++;
                Assert.Equal(File(number, version), found);
            }
        }

        return hits;
    }

    public int CountHits(int count, int version = 0)
    {
        using StatCache cache = Open();
        Assert.True(cache.IsEnabled, cache.Disabled);
        return CountHits(cache, count, version);
    }

    public void Dispose()
    {
        handle.Dispose();
        temporary?.Dispose();
    }
}
