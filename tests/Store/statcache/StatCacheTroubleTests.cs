using System.Diagnostics;
using System.Text;
using HackTree.Linux;
using HackTree.Store;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Store;

/// <summary>Surroundings in which the stat cache cannot work: it is then disabled.</summary>
public sealed class StatCacheTroubleTests
{
    [Fact]
    public void Who_comes_second_works_without()
    {
        using var world = new StatCacheWorld();
        world.Fill(10);
        using (StatCache first = world.Open())
        {
            using StatCache second = world.Open();
            Assert.True(first.IsEnabled);
            Assert.False(second.IsEnabled);
            Assert.Contains("another process", second.Disabled);
            Assert.Equal(0, StatCacheWorld.CountHits(second, 10));
            StatCache.Reader reader = StatCacheWorld.NewReader(second);
            reader.Add(StatCacheWorld.Status(20), StatCacheWorld.File(20), StatCacheWorld.Now);
            Assert.False(second.Save());
            Assert.Equal(10, StatCacheWorld.CountHits(first, 10));
        }

        Assert.Equal(10, world.CountHits(30));
    }

    [Fact]
    public void Another_process_with_the_lock_keeps_it_away_until_it_ends()
    {
        Tools.Require("flock");
        using var world = new StatCacheWorld();
        world.Fill(10);
        string ready = Path.Combine(world.Path, "ready");
        using (Process process = Process.Start("flock", ["-o", Path.Combine(world.CachePath, "lock"), "sh", "-c", $"touch {ready}; exec sleep 60"]))
        {
            SpinWait.SpinUntil(() => File.Exists(ready), TimeSpan.FromSeconds(20));
            using (StatCache cache = world.Open())
            {
                Assert.False(cache.IsEnabled);
            }

            process.Kill(entireProcessTree: true);
            process.WaitForExit();
        }

        Assert.Equal(10, world.CountHits(10));
    }

    [Fact]
    public void A_store_on_a_read_only_filesystem_has_none()
    {
        using var disk = new LoopFilesystem("ext4", 100);
        using (var world = new StatCacheWorld(disk.Path))
        {
            world.Fill(10);
        }

        Tools.Run("mount", "-o", "remount,ro", disk.Path).Succeeded();
        using var again = new StatCacheWorld(disk.Path);
        using StatCache cache = again.Open();
        Assert.False(cache.IsEnabled);
        Assert.Contains("read-only", cache.Disabled);
    }

    [Fact]
    public void A_nearly_full_disk_is_left_alone()
    {
        using var disk = new LoopFilesystem("ext4", 70, "-m", "0");
        using var world = new StatCacheWorld(disk.Path);
        using (StatCache cache = world.Open())
        {
            StatCache.Reader reader = StatCacheWorld.NewReader(cache);
            reader.Add(StatCacheWorld.Status(1), StatCacheWorld.File(1), StatCacheWorld.Now);
            Assert.False(cache.Save());
            Assert.NotNull(cache.Disabled);
        }

        Assert.Equal(["lock"], world.Files.Select(Path.GetFileName));
    }

    [Fact]
    public void What_can_no_longer_be_written_stays_as_it_was()
    {
        using var disk = new LoopFilesystem("ext4", 150, "-m", "0");
        using var world = new StatCacheWorld(disk.Path);
        world.Fill(5000);
        string[] before = world.Files;
        long length = before.Sum(file => new FileInfo(file).Length);
        File.WriteAllBytes(disk.At("filler"), new byte[disk.FreeBytes - (66 * 1024 * 1024)]);
        using (StatCache cache = world.Open())
        {
            Assert.Equal(5000, StatCacheWorld.CountHits(cache, 5000));
            StatCache.Reader reader = StatCacheWorld.NewReader(cache);
            for (int i = 5000; i < 10_000; i++)
            {
                reader.Add(StatCacheWorld.Status(i), StatCacheWorld.File(i), StatCacheWorld.Now);
            }

            Assert.False(cache.Save());
            Assert.Contains("written", cache.Disabled);
        }

        Assert.Equal(before, world.Files);
        Assert.InRange(world.Files.Sum(file => new FileInfo(file).Length), length - 64, length);
        Assert.Equal(5000, world.CountHits(10_000));
    }

    [Theory]
    [InlineData(4_000)]
    [InlineData(300_000)]
    [InlineData(500_000)]
    public void A_disk_that_runs_full_while_writing_fails_the_saving_and_hangs_nothing(int count)
    {
        // 300,000 records are all written at the end, but some of 500,000 before.
        using var disk = new LoopFilesystem("ext4", 16, "-m", "0");
        Sys.Open(Sys.WorkingDirectory, Encoding.UTF8.GetBytes(disk.Path), OpenFlags.Directory, out SafeFileHandle directory).ThrowIfFailed("openat", disk.Path);
        using SafeFileHandle held = directory;
        File.WriteAllBytes(disk.At("filler"), new byte[Math.Max(0, disk.FreeBytes - (count * 40L))]);
        using StatCacheTable table = StatCacheTable.Create(new StatCacheFile(directory, "log", 0, [], _ => true), 1 << 20);
        using (StatCacheTable.Session session = table.NewSession())
        {
            for (int i = 0; i < count; i++)
            {
                var key = new StatCacheKey(1, (ulong)i);
                Assert.True(StatCacheValue.TryMake(key, StatCacheWorld.Status(i), StatCacheWorld.File(i), out StatCacheValue value));
                session.Add(ref key, ref value);
            }
        }

        var watch = Stopwatch.StartNew();
        Assert.False(table.Save(new StatCacheFile(directory, "index", 0, [], _ => true)));
        Assert.False(table.IsSound);
        Assert.True(watch.Elapsed < TimeSpan.FromMinutes(2));
    }
}

/// <summary>A store of another user. It has a class of its own, for a process of that user.</summary>
public sealed class StatCacheForeignStoreTests
{
    [Fact]
    public void An_ordinary_user_who_may_not_write_there_has_none()
    {
        if (!ChildRun.IsChild)
        {
            ChildRun.AsNobody(GetType(), "0022");
            return;
        }

        using var world = new StatCacheWorld("/usr");
        using StatCache cache = world.Open();
        Assert.False(cache.IsEnabled);
        Assert.Contains("permission denied", cache.Disabled);
        Assert.Equal(0, StatCacheWorld.CountHits(cache, 10));
        Assert.False(cache.Save());
        Assert.False(Directory.Exists("/usr/cache"));
    }
}
