using System.Diagnostics;
using HackTree.Store;
using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Store;

/// <summary>
/// kill -9 at random moments of a process that only saves. The class has only this test, because that process runs the whole class.
/// </summary>
public sealed class StatCacheKillTests
{
    private const string WriteHere = "HACKTREE_STAT_CACHE_WRITER";

    [Fact]
    public void A_process_that_is_killed_leaves_a_cache_as_one_saving_left_it()
    {
        if (Environment.GetEnvironmentVariable(WriteHere) is { } path)
        {
            WriteUntilKilled(path);
        }

        ChildRun.SkipInChild();
        using var world = new StatCacheWorld();
        var random = new Random(7);
        int least = 0;
        for (int round = 0; round < PhysicalRoot.Rounds(5); round++)
        {
            string progress = Path.Combine(world.Path, "progress");
            File.Delete(progress);
            using (Process process = ChildRun.Start(GetType(), WriteHere, world.Path))
            {
                Assert.True(SpinWait.SpinUntil(() => File.Exists(progress) || process.HasExited, TimeSpan.FromSeconds(30)));
                Thread.Sleep(random.Next(150));
                process.Kill(entireProcessTree: true);
                process.WaitForExit();
            }

            // Each save adds 500 records, so their number is a multiple of 500, and never less than before.
            using StatCache cache = world.Open();
            Assert.True(cache.IsEnabled, cache.Disabled);
            int hits = StatCacheWorld.CountHits(cache, 200_000);
            Assert.Equal(0, hits % 500);
            Assert.True(hits >= least && hits > 0, $"{hits} of {least} in round {round}");
            least = hits;
        }

        Assert.True(world.Files.Length <= 4);
    }

    private static void WriteUntilKilled(string path)
    {
        using var world = new StatCacheWorld(path);
        int number = world.CountHits(200_000);
        while (number < 200_000)
        {
            using StatCache cache = world.Open();
            StatCache.Reader reader = StatCacheWorld.NewReader(cache);
            for (int end = number + 500; number < end; number++)
            {
                reader.Add(StatCacheWorld.Status(number), StatCacheWorld.File(number), StatCacheWorld.Now);
            }

            Assert.True(cache.Save());
            File.WriteAllText(Path.Combine(path, "progress"), "saved");
        }

        Thread.Sleep(Timeout.Infinite);
    }
}
