using HackTree.Linux;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Store;

/// <summary>The stat cache without failures: what is a hit, what stays, how it grows.</summary>
public sealed class StatCacheTests : IDisposable
{
    private readonly StatCacheWorld world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public void What_was_added_is_found_at_once_and_after_saving()
    {
        using (StatCache cache = world.Open())
        {
            using StatCache.Reader reader = StatCacheWorld.NewReader(cache);
            Assert.False(reader.TryFind(StatCacheWorld.Status(1), out _));
            reader.Add(StatCacheWorld.Status(1), StatCacheWorld.File(1), StatCacheWorld.Now);
            Assert.True(reader.TryFind(StatCacheWorld.Status(1), out CachedFile found));
            Assert.Equal(StatCacheWorld.File(1), found);
            Assert.True(cache.Save());
            Assert.False(reader.TryFind(StatCacheWorld.Status(1), out _));
        }

        Assert.Equal(1, world.CountHits(10) - world.CountHits(1));
    }

    [Fact]
    public void What_was_not_saved_is_forgotten_and_leaves_nothing()
    {
        using (StatCache cache = world.Open())
        {
            StatCacheWorld.NewReader(cache).Add(StatCacheWorld.Status(1), StatCacheWorld.File(1), StatCacheWorld.Now);
        }

        Assert.Equal(0, world.CountHits(10));
        Assert.Equal(["lock"], world.Files.Select(Path.GetFileName));
    }

    [Fact]
    public void Any_difference_is_a_miss()
    {
        world.Fill(100);
        Func<RawStatx, RawStatx>[] changes =
        [
            raw => raw with { DevMajor = raw.DevMajor + 1 },
            raw => raw with { DevMinor = raw.DevMinor + 8 },
            raw => raw with { Mask = raw.Mask | Sys.StatxBirthTime, Btime = new RawStatxTime { Seconds = 1 } },
            raw => raw with { Ino = raw.Ino + 100 },
            raw => raw with { Size = raw.Size + 1 },
            raw => raw with { Mtime = raw.Mtime with { Seconds = raw.Mtime.Seconds + 1 } },
            raw => raw with { Mtime = raw.Mtime with { Nanoseconds = raw.Mtime.Nanoseconds + 1 } },
            raw => raw with { Ctime = raw.Ctime with { Seconds = raw.Ctime.Seconds - 1 } },
            raw => raw with { Ctime = raw.Ctime with { Nanoseconds = raw.Ctime.Nanoseconds + 1 } },
            raw => raw with { Mtime = raw.Ctime, Ctime = raw.Mtime },
            raw => raw with { Size = raw.Size | (1UL << 63) },
            raw => raw with { Mtime = raw.Mtime with { Seconds = long.MaxValue / 2 } },
        ];
        using StatCache cache = world.Open();
        using StatCache.Reader reader = StatCacheWorld.NewReader(cache);
        foreach (Func<RawStatx, RawStatx> change in changes)
        {
            Assert.False(reader.TryFind(StatCacheWorld.Status(50, change: change), out CachedFile found));
            Assert.Equal(default, found);
        }

        Assert.True(reader.TryFind(StatCacheWorld.Status(50), out _));
    }

    [Fact]
    public void Only_a_filesystem_with_a_number_is_known_and_only_under_that_number()
    {
        world.Fill(100);
        using StatCache cache = world.Open();
        using StatCache.Reader reader = StatCacheWorld.NewReader(cache);
        foreach (ulong number in new ulong[] { 0, CachedFilesystem.Own, StatCacheWorld.Filesystem.Number + 1 })
        {
            reader.Filesystem = StatCacheWorld.Filesystem with { Number = number };
            Assert.False(reader.TryFind(StatCacheWorld.Status(50), out _));
        }

        reader.Filesystem = StatCacheWorld.Filesystem;
        Assert.True(reader.TryFind(StatCacheWorld.Status(50), out _));
    }

    [Fact]
    public void A_copy_of_a_cache_begins_empty()
    {
        world.Fill(100);
        using var copy = new StatCacheWorld();
        Tools.Run("cp", "-a", world.CachePath, copy.CachePath).Succeeded();
        using (StatCache cache = copy.Open())
        {
            Assert.Contains("copied", cache.Emptied);
            Assert.Equal(0, StatCacheWorld.CountHits(cache, 100));
        }

        Assert.Equal(100, world.CountHits(100));
    }

    [Fact]
    public void A_cache_is_used_after_a_new_start_of_the_machine_and_not_after_its_filesystem_was_mounted_anew()
    {
        var written = new StatCacheHome(1, new MountSession(2, 3));
        Assert.True(written.IsStill(written));
        Assert.True(written.IsStill(written with { Session = new MountSession(4, 3) }));
        Assert.True(written.IsStill(written with { Session = new MountSession(4, 5) }));
        Assert.False(written.IsStill(written with { Session = new MountSession(2, 5) }));
        Assert.False(written.IsStill(written with { Place = 9 }));
    }

    [Fact]
    public void A_file_that_was_just_changed_is_not_remembered()
    {
        using StatCache cache = world.Open();
        using StatCache.Reader reader = StatCacheWorld.NewReader(cache);
        FileStatus status = StatCacheWorld.Status(1);
        reader.Add(status, StatCacheWorld.File(1), new FileTime(status.ChangeTime.Seconds + 1, 999_999_999));
        Assert.False(reader.TryFind(status, out _));
        reader.Add(status, StatCacheWorld.File(1), new FileTime(status.ChangeTime.Seconds + 2, status.ChangeTime.Nanoseconds));
        Assert.True(reader.TryFind(status, out _));
    }

    [Fact]
    public void Times_that_do_not_fit_are_not_remembered_and_negative_ones_are()
    {
        using StatCache cache = world.Open();
        using StatCache.Reader reader = StatCacheWorld.NewReader(cache);
        foreach ((long seconds, bool fits) in new[] { (-1L, true), (-9_000_000_000, true), (-9_300_000_000, false), (long.MinValue, false) })
        {
            FileStatus status = StatCacheWorld.Status(1, change: raw => raw with { Mtime = new RawStatxTime { Seconds = seconds, Nanoseconds = 7 } });
            reader.Add(status, StatCacheWorld.File(1), StatCacheWorld.Now);
            Assert.Equal(fits, reader.TryFind(status, out _));
        }
    }

    [Fact]
    public void A_later_version_takes_the_place_of_an_earlier_one()
    {
        for (int version = 0; version < 5; version++)
        {
            world.Fill(3000, version);
            Assert.Equal(3000, world.CountHits(3000, version));
            Assert.Equal(0, world.CountHits(3000, version + 1));
        }

        Assert.Equal(0, world.CountHits(3000, 3));
    }

    [Fact]
    public void Small_additions_are_appended_and_keep_the_rest()
    {
        world.Fill(5000);
        for (int round = 1; round <= 20; round++)
        {
            using StatCache cache = world.Open();
            Assert.Null(cache.Emptied);
            StatCache.Reader reader = StatCacheWorld.NewReader(cache);
            int number = 5000 + round;
            reader.Add(StatCacheWorld.Status(number), StatCacheWorld.File(number), StatCacheWorld.Now);
            Assert.True(cache.Save());
            cache.Dispose();
            Assert.Equal(5000 + round, world.CountHits(5001 + round));
        }

        Assert.Equal(4, world.Files.Length);
    }

    [Fact]
    public void Saving_without_a_change_writes_nothing()
    {
        world.Fill(100);
        string[] before = [.. world.Files.Select(file => $"{file} {File.GetLastWriteTimeUtc(file):O}")];
        using (StatCache cache = world.Open())
        {
            Assert.Equal(100, StatCacheWorld.CountHits(cache, 100));
            Assert.True(cache.Save());
        }

        Assert.Equal(before, world.Files.Select(file => $"{file} {File.GetLastWriteTimeUtc(file):O}"));
    }

    [Fact]
    public void Nothing_added_is_nothing_to_save()
    {
        using StatCache cache = world.Open();
        Assert.True(cache.Save());
        Assert.Equal(["lock"], world.Files.Select(Path.GetFileName));
    }

    [Fact]
    public void Two_hundred_thousand_are_all_found_although_nobody_said_how_many_there_would_be()
    {
        const int Count = 200_000;
        using (StatCache cache = world.Open())
        {
            TestThreads.Run(2, part =>
            {
                using StatCache.Reader reader = StatCacheWorld.NewReader(cache);
                for (int i = part; i < Count; i += 2)
                {
                    reader.Add(StatCacheWorld.Status(i), StatCacheWorld.File(i), StatCacheWorld.Now);
                }
            });
            Assert.True(cache.Save());
        }

        // The hash table was too small for them, so the second opening makes a larger one from the log.
        long small = new FileInfo(world.Files.Single(file => file.Contains("/index-"))).Length;
        using (StatCache cache = world.Open())
        {
            Assert.Null(cache.Emptied);
            Assert.Equal(Count, StatCacheWorld.CountHits(cache, Count));
            Assert.True(cache.Save());
        }

        Assert.True(new FileInfo(world.Files.Single(file => file.Contains("/index-"))).Length > small);
        Assert.Equal(Count, world.CountHits(Count));
    }

    [Fact]
    public void More_than_fits_in_memory_is_found_in_the_file()
    {
        // 32 MiB of the log are kept in memory; this log has 47.
        const int Count = 480_000;
        world.Fill(Count);
        Assert.Equal(Count, world.CountHits(Count));
    }

    [Fact]
    public void Looking_up_and_adding_allocates_nothing()
    {
        world.Fill(5000);
        using StatCache cache = world.Open();
        using StatCache.Reader reader = StatCacheWorld.NewReader(cache);
        int hits = 0;

        // Several rounds: the compiler or the next page of the table may allocate in one of them, but an allocation for each call would be
        // in all.
        const int Rounds = 5;
        var allocated = new List<(long Found, long Added)>();
        for (int round = 0; round < Rounds; round++)
        {
            long start = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 5000; i++)
            {
                hits += reader.TryFind(StatCacheWorld.Status(i), out _) ? 1 : 0;
            }

            long found = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
            {
                reader.Add(StatCacheWorld.Status(i + 10_000), StatCacheWorld.File(i), StatCacheWorld.Now);
            }

            allocated.Add((found - start, GC.GetAllocatedBytesForCurrentThread() - found));
        }

        Assert.Equal(0, allocated.Min(round => round.Found));
        Assert.Equal(0, allocated.Min(round => round.Added));
        Assert.Equal(Rounds * 5000, hits);
    }

    [Fact]
    public void Files_that_are_gone_do_not_pile_up_for_ever()
    {
        // All files are new in each round. The cache begins empty before it has many times more records than needed.
        const int Each = 100_000;
        bool wasEmptied = false;
        for (int round = 0; round < 8; round++)
        {
            using StatCache cache = world.Open(Each);
            wasEmptied |= round > 0 && cache.Emptied is not null;
            StatCache.Reader reader = StatCacheWorld.NewReader(cache);
            for (int i = 0; i < Each; i++)
            {
                reader.Add(StatCacheWorld.Status((round * Each) + i), StatCacheWorld.File(i), StatCacheWorld.Now);
            }

            Assert.True(cache.Save());
            Assert.True(world.Files.Sum(file => new FileInfo(file).Length) < 80_000_000);
        }

        Assert.True(wasEmptied);
    }
}
