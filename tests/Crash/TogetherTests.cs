using System.Diagnostics;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>Several processes at once on one store.</summary>
public sealed class TogetherTests : IDisposable
{
    private readonly PhysicalRoot root = new();

    public void Dispose() => root.Dispose();

    [Fact]
    public async Task Of_commits_to_one_ref_at_once_none_is_lost()
    {
        const int committers = 6;
        for (int i = 0; i < committers; i++)
        {
            SourceTree.Make(root.At($"source{i}"), i / 2);
        }

        for (int round = 0; round < PhysicalRoot.Rounds(2); round++)
        {
            ToolResult[] results = await Task.WhenAll(Enumerable.Range(0, committers)
                .Select(i => Hacktree.RunBeside(root.Arguments("commit", "-b", "main", "-s", $"{round} {i}", root.At($"source{i}")))));
            string[] commits = [.. results.Select(result => result.Succeeded().Trim())];
            Assert.Equal(committers, commits.Distinct().Count());
            Assert.Superset(commits.ToHashSet(), root.History("main").ToHashSet());
        }

        Assert.Equal(PhysicalRoot.Rounds(2) * committers, root.History("main").Count);
        root.AssertSound();
    }

    [Fact]
    public async Task Of_ref_changes_at_once_each_is_in_the_log_and_the_last_one_holds()
    {
        Directory.CreateDirectory(root.At("source"));
        string[] commits = new string[6];
        for (int i = 0; i < commits.Length; i++)
        {
            File.WriteAllText(root.At("source/file"), $"{i}");
            commits[i] = root.Ok("commit", "-b", $"c{i}", root.At("source"));
        }

        ToolResult[] results = await Task.WhenAll(commits.Select(commit => Hacktree.RunBeside(root.Arguments("refs", "set", "a/b", commit))));
        Assert.All(results, result => result.Succeeded());
        string[][] log = [.. File.ReadAllLines($"{root.Store}/logs/a/b.log").Select(line => line.Split(' '))];
        Assert.Equal(["-", .. log[..^1].Select(line => line[1])], log.Select(line => line[0]));
        Assert.Equal(commits.Order(), log.Select(line => line[1]).Order());
        Assert.Equal(log[^1][1], root.Tip("a/b"));
        root.AssertSound();
    }

    [Fact]
    public async Task Of_two_checkouts_to_one_place_one_makes_it_and_the_other_says_why_not()
    {
        SortedDictionary<string, string> tree = SourceTree.Make(root.At("source"), 1);
        root.Ok("commit", "-b", "main", root.At("source"));
        var random = new Random(PhysicalRoot.Seed);
        for (int round = 0; round < PhysicalRoot.Rounds(6); round++)
        {
            string place = root.At($"r{round}");
            Task<ToolResult> first = Hacktree.RunBeside(root.Arguments("checkout", "main", place));
            await Task.Delay(random.Next(15), TestContext.Current.CancellationToken);
            ToolResult second = root.Run("checkout", "main", place);
            ToolResult[] results = [await first, second];
            ToolResult loser = Assert.Single(results, result => result.ExitCode != 0);
            Hacktree.Refused(loser);
            Snapshot.AssertSame(tree, Snapshot.Of(place));
        }

        root.AssertCleanAfterGc();
    }

    [Fact]
    public async Task Roots_of_one_name_in_several_directories_made_at_once_are_each_recorded()
    {
        SourceTree.Make(root.At("source"), 1);
        root.Ok("commit", "-b", "main", root.At("source"));
        string[] places = [.. Enumerable.Range(0, 4).Select(i => root.At($"machine{i}"))];
        foreach (string place in places)
        {
            Directory.CreateDirectory(place);
        }

        for (int round = 0; round < PhysicalRoot.Rounds(3); round++)
        {
            int number = round;
            ToolResult[] results = await Task.WhenAll(places.Select(place => Hacktree.RunBeside(root.Arguments("checkout", "main", $"{place}/r{number}"))));
            string[] made = [.. places.Where((_, i) => results[i].ExitCode == 0).Select(place => Path.GetRelativePath(root.Path, $"{place}/r{number}"))];
            Assert.All(results.Where(result => result.ExitCode != 0), result => Hacktree.Refused(result));
            Assert.NotEmpty(made);
            root.Ok("gc");
            string records = string.Concat(Directory.GetFiles($"{root.Store}/roots").Select(File.ReadAllText));
            Assert.All(made, path => Assert.Contains($"\"{path}\"", records, StringComparison.Ordinal));
        }

        root.AssertCleanAfterGc();
    }

    [Fact]
    public async Task Commits_checkouts_and_collections_beside_each_other_do_each_other_no_harm()
    {
        SortedDictionary<string, string>[] trees = [.. Enumerable.Range(0, 2).Select(i => SourceTree.Make(root.At($"source{i}"), i))];
        root.Ok("commit", "-b", "stable", root.At("source0"));
        long end = Environment.TickCount64 + (1000 * PhysicalRoot.Rounds(6));
        Task[] loops =
        [
            Loop(end, i => [["commit", "-b", "moving", root.At($"source{i % 2}")], ["refs", "delete", "moving"]]),
            Loop(end, i => [["checkout", "--force", "stable", root.At("r1")], ["checkout", "stable", root.At($"q{i}")]]),
            Loop(end, i => [["gc"], ["fsck"], ["commit", "-b", "other", root.At("source1")]]),
        ];
        await Task.WhenAll(loops);
        root.AssertSound();
        Snapshot.AssertSame(trees[0], Snapshot.Of(root.At("r1")));
        root.AssertHolds("stable", trees[0]);
        root.AssertHolds("other", trees[1]);
        root.AssertCleanAfterGc();
    }

    [Fact]
    public async Task A_repair_beside_commits_checkouts_and_collections_mends_store_and_roots()
    {
        SourceTree.Make(root.At("source0"), 0);
        SourceTree.Make(root.At("source1"), 1);
        File.WriteAllText(root.At("source0/wanted"), "wanted");
        SortedDictionary<string, string> tree = Snapshot.Of(root.At("source0"));
        root.Ok("commit", "-b", "stable", root.At("source0"));
        root.Ok("checkout", "--copy", "stable", root.At("good"));
        root.Ok("checkout", "stable", root.At("r0"));
        int repaired = 0;
        long end = Environment.TickCount64 + (1000 * PhysicalRoot.Rounds(8));
        Task[] loops =
        [
            Loop(end, i => [["commit", "-b", "moving", root.At("source1")], ["refs", "delete", "moving"]]),
            Loop(end, i => [["checkout", "--force", "stable", root.At("r1")], ["checkout", "stable", root.At($"q{i}")], ["roots", "rm", $"q{i}"]]),
            Loop(end, i => [["gc"]]),
            Loop(end, i =>
            {
                // Its inode is in r0, and maybe in r1 and in a root that is being made.
                File.AppendAllText(root.At("r0/wanted"), "!");
                repaired += root.Ok("fsck", "--repair").Contains("made again from the roots", StringComparison.Ordinal) ? 1 : 0;
                return [["roots", "check", "r0"]];
            }),
        ];
        await Task.WhenAll(loops);

        Assert.True(repaired > 0, "nothing was repaired");
        root.AssertSound();
        Snapshot.AssertSame(tree, Snapshot.Of(root.At("r0")));
        Snapshot.AssertSame(tree, Snapshot.Of(root.At("r1")));
        root.AssertHolds("stable", tree);
        root.AssertCleanAfterGc();
    }

    [Fact]
    public async Task Gc_waits_for_a_reader_and_says_for_whom()
    {
        using var process = new Process
        {
            StartInfo = new ProcessStartInfo(Hacktree.Path, root.Arguments("gc")) { RedirectStandardError = true, RedirectStandardOutput = true },
        };
        using (ObjectStore.Open(root.Store, stop: TestContext.Current.CancellationToken))
        {
            process.Start();
            CancellationToken end = TestContext.Current.CancellationToken;
            string? line = await process.StandardError.ReadLineAsync(end).AsTask().WaitAsync(TimeSpan.FromSeconds(60), end);
            Assert.Contains($"(process {Environment.ProcessId})", line, StringComparison.Ordinal);
            Assert.False(process.WaitForExit(200));
        }

        Assert.True(process.WaitForExit(60_000));
        Assert.Equal(0, process.ExitCode);
    }

    private Task Loop(long end, Func<int, string[][]> commands) => Task.Factory.StartNew(
        () =>
        {
            for (int i = 0; Environment.TickCount64 < end; i++)
            {
                foreach (string[] command in commands(i))
                {
                    root.Ok(command);
                }
            }
        },
        CancellationToken.None,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);
}
