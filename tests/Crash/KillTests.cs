using System.Diagnostics;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>kill -9 at random moments. What holds afterwards: the refs, every root by its name, and a store that goes on.</summary>
public sealed class KillTests : IDisposable
{
    private readonly PhysicalRoot root = new();
    private readonly Random random = new(PhysicalRoot.Seed);

    private string Source => root.At("source");

    public void Dispose() => root.Dispose();

    [Fact]
    public void A_killed_commit_leaves_the_ref_old_or_new_and_can_be_repeated()
    {
        SortedDictionary<string, string> before = SourceTree.Make(Source, -1);
        TimeSpan usual = Time("commit", "-b", "main", Source);
        for (int round = 0; round < PhysicalRoot.Rounds(6); round++)
        {
            string old = root.Tip("main")!;
            SortedDictionary<string, string> tree = SourceTree.Make(Source, PhysicalRoot.Seed + round);
            Kill(usual, "commit", "-b", "main", Source);
            root.AssertSound();
            root.AssertHolds("main", root.Tip("main") == old ? before : tree);
            Snapshot.AssertSame(tree, Snapshot.Of(Source));
            if (round % 2 == 0)
            {
                root.AssertCleanAfterGc();
            }

            root.Ok("commit", "-b", "main", Source);
            root.AssertSound();
            root.AssertHolds("main", tree);
            before = tree;
        }

        root.AssertCleanAfterGc();
    }

    [Fact]
    public void A_killed_commit_that_consumes_its_tree_loses_no_file_of_it()
    {
        SourceTree.Make(Source, -1);
        TimeSpan usual = Time("commit", "-b", "main", "--consume", Source);
        for (int round = 0; round < PhysicalRoot.Rounds(6); round++)
        {
            string old = root.Tip("main")!;
            SortedDictionary<string, string> tree = SourceTree.Make(Source, PhysicalRoot.Seed + round);
            Kill(usual * 1.3, "commit", "-b", "main", "--consume", Source);
            root.AssertSound();
            if (root.Tip("main") == old)
            {
                // Not committed: nothing has gone, nor has gc a claim to it. Directories' times tell of nothing here.
                root.AssertCleanAfterGc();
                Snapshot.AssertSame(tree, Snapshot.Of(Directory.Exists(Source) ? Source : root.At(".source.consumed/tree")));
                root.Ok("commit", "-b", "main", "--consume", Source);
                Assert.False(Directory.Exists(Source));
            }
            else if (Directory.Exists(root.At(".source.consumed")))
            {
                root.Run("commit", "-b", "main", "--consume", Source);
            }

            Assert.False(Directory.Exists(root.At(".source.consumed")));

            root.AssertSound();
            root.AssertHolds("main", tree);
        }

        root.AssertCleanAfterGc();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_killed_checkout_leaves_no_root_or_a_whole_one(bool copy)
    {
        SortedDictionary<string, string> tree = SourceTree.Make(Source, PhysicalRoot.Seed);
        root.Ok("commit", "-b", "main", Source);
        string[] checkout = copy ? ["checkout", "--copy", "main", root.At("r1")] : ["checkout", "main", root.At("r1")];
        TimeSpan usual = Time(checkout);
        for (int round = 0; round < PhysicalRoot.Rounds(6); round++)
        {
            if (Directory.Exists(root.At("r1")))
            {
                Directory.Move(root.At("r1"), root.At($"gone{round}"));
                root.Ok("gc");
            }

            Kill(usual, checkout);
            bool isThere = Directory.Exists(root.At("r1"));
            if (isThere)
            {
                Snapshot.AssertSame(tree, Snapshot.Of(root.At("r1")));
            }

            root.AssertSound();
            root.AssertCleanAfterGc();
            Assert.Equal(isThere, Directory.Exists(root.At("r1")));
            Assert.Equal(isThere, File.Exists(root.At("objects/roots/r1.json")));
        }

        if (!Directory.Exists(root.At("r1")))
        {
            root.Ok(checkout);
        }

        Snapshot.AssertSame(tree, Snapshot.Of(root.At("r1")));
    }

    [Fact]
    public void What_a_killed_checkout_left_is_not_forgotten_over_a_root_of_the_same_name_elsewhere()
    {
        SourceTree.Make(Source, PhysicalRoot.Seed);
        root.Ok("commit", "-b", "main", Source);
        Directory.CreateDirectory(root.At("a"));
        Directory.CreateDirectory(root.At("b"));
        string[] checkout = root.Arguments("checkout", "main", root.At("a/r1"));
        for (int delay = 5; !Directory.Exists(root.At("a/.r1.partial")); delay = (delay % 40) + 1)
        {
            Tools.Run("rm", "-rf", root.At("a/r1")).Succeeded();
            Hacktree.StartAndKill(TimeSpan.FromMilliseconds(delay), checkout);
        }

        root.Ok("checkout", "main", root.At("b/r1"));
        root.AssertCleanAfterGc();
        Assert.Empty(Directory.GetFileSystemEntries(root.At("a")));
    }

    [Fact]
    public void A_killed_forced_checkout_leaves_the_old_root_or_the_new_one_whole()
    {
        SortedDictionary<string, string>[] trees = [SourceTree.Make(root.At("source0"), 1), SourceTree.Make(root.At("source1"), 2)];
        string[] commits = [root.Ok("commit", "-b", "a", root.At("source0")), root.Ok("commit", "-b", "b", root.At("source1"))];
        root.Ok("checkout", "a", root.At("r1"));
        TimeSpan usual = Time("checkout", "--force", "b", root.At("r1"));
        int now = 1;
        for (int round = 0; round < PhysicalRoot.Rounds(6); round++)
        {
            Kill(usual, "checkout", "--force", commits[1 - now], root.At("r1"));
            SortedDictionary<string, string> found = Snapshot.Of(root.At("r1"));
            now = found.SequenceEqual(trees[0]) ? 0 : 1;
            Snapshot.AssertSame(trees[now], found);
            root.AssertCleanAfterGc();
            Snapshot.AssertSame(trees[now], Snapshot.Of(root.At("r1")));
            Assert.Contains(commits[now], File.ReadAllText(root.At("objects/roots/r1.json")), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_root_killed_on_its_way_to_another_commit_is_the_old_one_the_new_one_or_litter()
    {
        SortedDictionary<string, string>[] trees = [SourceTree.Make(root.At("source0"), 1), SourceTree.Make(root.At("source1"), 2)];
        root.Ok("commit", "-b", "0", root.At("source0"));
        root.Ok("commit", "-b", "1", root.At("source1"));
        root.Ok("checkout", "0", root.At("r0"));
        TimeSpan usual = Time("checkout", "--from", root.At("r0"), "1", root.At("r1"));
        int now = 1;
        for (int round = 0; round < PhysicalRoot.Rounds(8); round++)
        {
            Kill(usual, "checkout", "--from", root.At($"r{now}"), $"{1 - now}", root.At($"r{1 - now}"));
            bool[] isThere = [Directory.Exists(root.At("r0")), Directory.Exists(root.At("r1"))];
            Assert.False(isThere[0] && isThere[1]);
            root.AssertCleanAfterGc();
            for (int i = 0; i < 2; i++)
            {
                Assert.Equal(isThere[i], Directory.Exists(root.At($"r{i}")));
                Assert.Equal(isThere[i], File.Exists(root.At($"objects/roots/r{i}.json")));
                if (isThere[i])
                {
                    Snapshot.AssertSame(trees[i], Snapshot.Of(root.At($"r{i}")));
                }
            }

            // The way out of every case; a root whose maker died before he could seal it is not advanced.
            now = round % 2;
            Tools.Run("rm", "-rf", root.At("r0"), root.At("r1")).Succeeded();
            root.Ok("checkout", $"{now}", root.At($"r{now}"));
            root.AssertCleanAfterGc();
        }
    }

    [Fact]
    public void A_root_that_was_killed_before_it_became_another_commit_in_its_place_is_not_taken_for_that()
    {
        Tools.Require("strace");
        SortedDictionary<string, string> tree = SourceTree.Make(root.At("source0"), 1);
        SourceTree.Make(root.At("source1"), 2);
        string[] commits = [root.Ok("commit", "-b", "0", root.At("source0")), root.Ok("commit", "-b", "1", root.At("source1"))];

        // What an earlier try left is removed before the root gets another name: killed meanwhile, both are there.
        root.Ok("checkout", "0", root.At("r1"));
        string[] early = ["-f", "-o", "/dev/null", "-e", "trace=linkat", "-e", "inject=linkat:signal=KILL:when=5"];
        Tools.Run("strace", [.. early, Hacktree.Path, .. root.Arguments("checkout", "--force", "1", root.At("r1"))]);
        string litter = root.At(".r1.partial");
        Assert.NotEmpty(Directory.GetFileSystemEntries(litter));
        string[] kill = ["-f", "-o", "/dev/null", "-P", litter, "-e", "trace=unlinkat", "-e", "inject=unlinkat:signal=KILL"];
        ToolResult killed = Tools.Run("strace", [.. kill, Hacktree.Path, .. root.Arguments("checkout", "--from", root.At("r1"), "1", root.At("r1"))]);
        Assert.NotEqual(0, killed.ExitCode);
        Assert.True(File.Exists(root.At("objects/roots/r1.partial.json")) && Directory.Exists(litter));

        root.AssertCleanAfterGc();
        Snapshot.AssertSame(tree, Snapshot.Of(root.At("r1")));
        Assert.Contains(commits[0], File.ReadAllText(root.At("objects/roots/r1.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_killed_gc_leaves_all_that_is_needed_and_the_next_one_frees_the_rest()
    {
        SortedDictionary<string, string> kept = SourceTree.Make(root.At("kept"), 3);
        root.Ok("commit", "-b", "main", root.At("kept"));
        root.Ok("checkout", "main", root.At("r1"));
        root.Ok("gc");
        string[] objects = Directory.GetFiles(root.At("objects/files"), "*", SearchOption.AllDirectories);
        TimeSpan usual = TimeSpan.Zero;
        for (int round = -1; round < PhysicalRoot.Rounds(6); round++)
        {
            // A pack of which half is dead, one that is all dead, and litter.
            File.WriteAllText(root.At("kept/extra"), $"extra {round}");
            root.Ok("commit", "-b", "main", root.At("kept"));
            File.Delete(root.At("kept/extra"));
            root.Ok("commit", "-b", "main", root.At("kept"));
            SourceTree.Make(Source, PhysicalRoot.Seed + round);
            root.Ok("commit", "-b", "dropped", Source);
            root.Ok("refs", "delete", "dropped");
            File.WriteAllText(root.At("objects/tmp/left"), "litter");
            if (round < 0)
            {
                usual = Time("gc", "--depth", "0");
                continue;
            }

            Kill(usual, "gc", "--depth", "0");
            root.AssertSound();
            root.AssertHolds("main", WithoutTime(kept, root.At("kept")));
            root.Ok("gc", "--depth", "0");
            root.AssertCleanAfterGc();
            Assert.Equal(objects.Order(StringComparer.Ordinal), Directory.GetFiles(root.At("objects/files"), "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal));
        }

        Assert.Equal(kept[""], Snapshot.Of(root.At("r1"))[""]);
    }

    /// <summary>The tree as it was, but for the top directory's time, which making a file in it changed.</summary>
    private static SortedDictionary<string, string> WithoutTime(SortedDictionary<string, string> tree, string path) =>
        new(tree) { [""] = Snapshot.Of(path)[""] };

    private TimeSpan Time(params string[] arguments)
    {
        long started = Stopwatch.GetTimestamp();
        root.Ok(arguments);
        return Stopwatch.GetElapsedTime(started);
    }

    private void Kill(TimeSpan usual, params string[] arguments) =>
        Hacktree.StartAndKill(usual * random.NextDouble(), root.Arguments(arguments));
}
