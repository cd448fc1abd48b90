using CsCheck;
using HackTree.Store;

namespace HackTree.Tests.Store;

/// <summary>
/// The stat cache beside a dictionary: any sequence of adding, looking up, saving and opening again, and several threads at once.
/// </summary>
public sealed class StatCacheModelTests
{
    private enum Step
    {
        Add,
        Find,
        SaveAndReopen,
        ReopenUnsaved,
    }

    [Fact]
    public void It_does_what_a_dictionary_does() =>
        Gen.Select(Gen.Enum<Step>(), Gen.Int[0, 300], Gen.Int[0, 3], Gen.Int[1, 200]).Array[1, 25].Sample(
            steps =>
            {
                using var world = new StatCacheWorld();
                var saved = new Dictionary<int, int>();
                var now = new Dictionary<int, int>();
                StatCache cache = world.Open();
                foreach ((Step step, int first, int version, int count) in steps)
                {
                    if (step is Step.Add or Step.Find)
                    {
                        using StatCache.Reader reader = StatCacheWorld.NewReader(cache);
                        for (int number = first; number < first + count; number++)
                        {
                            Do(step, reader, now, number, version);
                        }

                        continue;
                    }

                    Assert.True(step == Step.ReopenUnsaved || cache.Save());
                    cache.Dispose();
                    saved = step == Step.SaveAndReopen ? new Dictionary<int, int>(now) : saved;
                    now = new Dictionary<int, int>(saved);
                    cache = world.Open();
                    Assert.Equal(saved.Count == 0, cache.Emptied is not null);
                }

                using (StatCache.Reader reader = StatCacheWorld.NewReader(cache))
                {
                    for (int number = 0; number < 500; number++)
                    {
                        Do(Step.Find, reader, now, number, 1);
                    }
                }

                cache.Dispose();
            },
            iter: 150);

    [Fact]
    public void Threads_that_look_up_and_add_at_once_see_whole_entries_only()
    {
        using var world = new StatCacheWorld();
        const int Count = 20_000;
        using (StatCache cache = world.Open(Count))
        {
            long hits = 0;
            TestThreads.Run(4, part =>
            {
                // All threads write and read the same files, each in its own order, and with versions of its own.
                using StatCache.Reader reader = StatCacheWorld.NewReader(cache);
                var random = new Random(part);
                for (int i = 0; i < 3 * Count; i++)
                {
                    int number = random.Next(Count), version = random.Next(4);
                    if (reader.TryFind(StatCacheWorld.Status(number, version), out CachedFile found))
                    {
                        Assert.Equal(StatCacheWorld.File(number, version), found);
                        Interlocked.Increment(ref hits);
                    }
                    else
                    {
                        reader.Add(StatCacheWorld.Status(number, version), StatCacheWorld.File(number, version), StatCacheWorld.Now);
                    }
                }
            });
            Assert.True(hits > Count);
            Assert.True(cache.Save());
        }

        // Of each file one version is there: the last that was added.
        using (StatCache cache = world.Open())
        {
            int[] perVersion = [.. Enumerable.Range(0, 4).Select(version => StatCacheWorld.CountHits(cache, Count, version))];
            Assert.Equal(Count, perVersion.Sum());
            Assert.All(perVersion, hits => Assert.True(hits > Count / 8));
        }
    }

    private static void Do(Step step, StatCache.Reader reader, Dictionary<int, int> now, int number, int version)
    {
        if (step == Step.Add)
        {
            reader.Add(StatCacheWorld.Status(number, version), StatCacheWorld.File(number, version), StatCacheWorld.Now);
            now[number] = version;
            return;
        }

        bool isHit = reader.TryFind(StatCacheWorld.Status(number, version), out CachedFile found);
        Assert.Equal(now.TryGetValue(number, out int known) && known == version, isHit);
        Assert.Equal(isHit ? StatCacheWorld.File(number, version) : default, found);
    }
}
