using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Store;

/// <summary>
/// Whatever is done to its files, the stat cache gives no wrong answer and throws nothing. The tests run in a process of their own, because
/// one wrong bit in the hash table's file could end the process if it were not noticed.
/// </summary>
public sealed class StatCacheDamageTests : IDisposable
{
    // More than one stretch of checksums, and small enough to copy often.
    private const int Count = 3000;

    private readonly TempDirectory kept = new();

    public void Dispose() => kept.Dispose();

    [Fact]
    public void Damage_is_a_miss_at_worst()
    {
        if (!ChildRun.IsChild)
        {
            ChildRun.WithUmask(GetType(), "0022");
            return;
        }

        using var original = new StatCacheWorld();
        MakeWithTail(original);
        Assert.Equal(Count, original.CountHits(Count));
        string[] names = [.. original.Files.Select(file => Path.GetFileName(file)!).Where(name => name != "lock")];
        Assert.Equal(3, names.Length);
        Tools.Run("cp", "-a", $"{original.CachePath}/.", kept.Path).Succeeded();
        foreach (string name in names)
        {
            long length = new FileInfo(Path.Combine(kept.Path, name)).Length;
            var random = new Random(1);
            for (int i = 0; i < 30; i++)
            {
                long at = i < 10 ? i * 8 : random.NextInt64(length);
                Damage(original, name, $"bit {i % 8} at {at}", path => Flip(path, at, i % 8));
            }

            foreach (long kept in new[] { 0, 1, 63, length / 2, length - 1, length + 4096 })
            {
                Damage(original, name, $"length {kept}", path => SetLength(path, kept));
            }

            Damage(original, name, "deleted", File.Delete);
            Damage(original, name, "a directory", path =>
            {
                File.Delete(path);
                Directory.CreateDirectory(path);
                File.WriteAllText(Path.Combine(path, "in it"), "");
            });
            Damage(original, name, "a link", path =>
            {
                File.Move(path, path + "-away");
                File.CreateSymbolicLink(path, path + "-away");
            });
            Damage(original, name, "a fifo", path =>
            {
                File.Delete(path);
                Tools.Run("mkfifo", path).Succeeded();
            });
            Damage(original, name, "zeros", path => File.WriteAllBytes(path, new byte[new FileInfo(path).Length]));
        }

        Damage(original, "manifest", "another's", path => OfAnother(path));
        Damage(original, names[0], "all files swapped", path => Swap(Path.GetDirectoryName(path)!));
    }

    [Fact]
    public void Damage_that_is_found_late_makes_all_of_it_misses()
    {
        ChildRun.SkipInChild();

        // The part of the log that is not kept in memory is compared when it is read.
        const int Many = 480_000;
        using var world = new StatCacheWorld();
        world.Fill(Many);
        Flip(world.Files.Single(file => file.Contains("/log-")), 100_000, 3);
        using (StatCache cache = world.Open())
        {
            Assert.Null(cache.Emptied);
            using StatCache.Reader reader = StatCacheWorld.NewReader(cache);
            Assert.True(reader.TryFind(StatCacheWorld.Status(Many - 1), out _));
            Assert.False(reader.TryFind(StatCacheWorld.Status(100_000 / StatCacheTable.RecordLength), out _));
            Assert.False(reader.TryFind(StatCacheWorld.Status(Many - 1), out _));
            Assert.Equal(0, StatCacheWorld.CountHits(cache, Many));
            reader.Add(StatCacheWorld.Status(Many), StatCacheWorld.File(Many), StatCacheWorld.Now);
            Assert.False(cache.Save());
        }

        Assert.Equal(["lock"], world.Files.Select(Path.GetFileName));
        Assert.Equal(0, world.CountHits(100));
        world.Fill(100);
        Assert.Equal(100, world.CountHits(100));
    }

    /// <summary>A cache whose log is longer than its index knows.</summary>
    private static void MakeWithTail(StatCacheWorld world)
    {
        world.Fill(Count - 100);
        using StatCache cache = world.Open();
        StatCache.Reader reader = StatCacheWorld.NewReader(cache);
        for (int i = Count - 100; i < Count; i++)
        {
            reader.Add(StatCacheWorld.Status(i), StatCacheWorld.File(i), StatCacheWorld.Now);
        }

        Assert.True(cache.Save());
    }

    private void Damage(StatCacheWorld world, string name, string what, Action<string> damage)
    {
        // The files are put back into the same directory: a copy of the directory would begin empty.
        Tools.Run("sh", "-ec", $"cd {world.CachePath}; rm -rf -- *; cp -a {kept.Path}/. .").Succeeded();
        damage(Path.Combine(world.CachePath, name));
        try
        {
            using (StatCache cache = world.Open())
            {
                Assert.True(cache.IsEnabled, cache.Disabled);
                int hits = StatCacheWorld.CountHits(cache, Count);
                Assert.Equal(cache.Emptied is null ? Count : 0, hits);
                StatCache.Reader reader = StatCacheWorld.NewReader(cache);
                reader.Add(StatCacheWorld.Status(Count), StatCacheWorld.File(Count), StatCacheWorld.Now);
                Assert.True(cache.Save(), cache.Disabled);
            }

            // From then on all is well.
            world.Fill(Count);
            Assert.Equal(Count, world.CountHits(Count));
            Assert.Equal(4, Directory.EnumerateFileSystemEntries(world.CachePath).Count());
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{name}, {what}: {e.Message}", e);
        }
    }

    private static void Flip(string path, long at, int bit)
    {
        using FileStream file = File.Open(path, FileMode.Open, FileAccess.ReadWrite);
        file.Position = at;
        int old = file.ReadByte();
        file.Position = at;
        file.WriteByte((byte)(Math.Max(old, 0) ^ (1 << bit)));
    }

    private static void SetLength(string path, long length)
    {
        using FileStream file = File.Open(path, FileMode.Open, FileAccess.ReadWrite);
        file.SetLength(length);
    }

    /// <summary>An undamaged manifest of another cache.</summary>
    private static void OfAnother(string path)
    {
        using var other = new StatCacheWorld();
        other.Fill(Count, version: 1);
        File.Copy(Path.Combine(other.CachePath, "manifest"), path, overwrite: true);
    }

    private static void Swap(string cachePath)
    {
        string log = Directory.GetFiles(cachePath, "log-*").Single(), index = Directory.GetFiles(cachePath, "index-*").Single();
        File.Move(log, log + "-");
        File.Move(index, log);
        File.Move(log + "-", index);
    }
}
