using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>hacktree roots rm: what may go goes with its record, what must stay stays and says why.</summary>
public sealed class RootRemovalTests : IDisposable
{
    private readonly PhysicalRoot root = new();

    public RootRemovalTests()
    {
        SourceTree.Make(root.At("source"), 1);
        root.Ok("commit", "-b", "a", root.At("source"));
        root.Ok("checkout", "a", root.At("r0"));
        root.Ok("checkout", "a", root.At("r1"));
    }

    public void Dispose() => root.Dispose();

    [Fact]
    public void By_name_and_by_path_and_one_that_is_gone_already()
    {
        root.Ok("checkout", "a", root.At("r2"));
        Directory.Delete(root.At("r2"), recursive: true);
        root.Ok("roots", "rm", "r0", root.At("r1"), "r2");
        Assert.Empty(Directory.GetFileSystemEntries(root.At("objects/roots")));
        IEnumerable<string?> names = Directory.GetFileSystemEntries(root.Path).Select(Path.GetFileName);
        Assert.Empty(names.Where(name => name!.Contains("r0", StringComparison.Ordinal) || name.Contains("r1", StringComparison.Ordinal)));
        root.AssertCleanAfterGc();
    }

    [Fact]
    public void A_root_that_must_stay_is_refused_in_one_sentence()
    {
        root.Ok("roots", "pin", "r0");
        Assert.Contains("pinned", root.Refused("roots", "rm", "r0"), StringComparison.Ordinal);
        Assert.Contains("no root of that name", root.Refused("roots", "rm", root.At("source")), StringComparison.Ordinal);
        Assert.Contains("no root of that name", root.Refused("roots", "rm", "r7"), StringComparison.Ordinal);
        Directory.Move(root.At("r1"), root.At("moved"));
        Directory.CreateDirectory(root.At("r1"));
        Assert.Contains("not the directory", root.Refused("roots", "rm", "r1"), StringComparison.Ordinal);
        Assert.True(Directory.Exists(root.At("r0")) && Directory.Exists(root.At("r1")));
    }

    [Fact]
    public void A_kill_leaves_the_root_whole_or_litter_that_gc_removes()
    {
        for (int milliseconds = 0; milliseconds < 60; milliseconds += 6)
        {
            Hacktree.StartAndKill(TimeSpan.FromMilliseconds(milliseconds), root.Arguments("roots", "rm", "r0"));
            if (Directory.Exists(root.At("r0")))
            {
                Comparison.Same(root.At("r1"), root.At("r0"));
            }

            root.AssertCleanAfterGc();
            Assert.False(Directory.Exists(root.At(".r0.partial")));
            root.Ok("checkout", "--force", "a", root.At("r0"));
        }
    }

    /// <summary>If the kill came between the root's name and its record, the removal writes the record first, as gc would.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_root_whose_checkout_was_killed_at_any_change_of_a_record_goes(bool replaces)
    {
        Tools.Require("strace");
        const string Calls = "renameat,renameat2,linkat,unlinkat";
        string place = root.At("r2"), record = root.At("objects/roots/r2.json");
        var unrecorded = new List<int>();
        bool wasKilled = true;
        for (int number = 1; wasKilled; number++)
        {
            Assert.True(number < 100, "it is never done");
            if (replaces)
            {
                root.Ok("checkout", "a", place);
            }

            string before = replaces ? File.ReadAllText(record) : "";
            string[] trace = ["-f", "-qq", "-o", "/dev/null", "-P", root.At("objects/roots"), "-e", $"trace={Calls}"];
            string[] kill = [.. trace, "-e", $"inject={Calls}:signal=KILL:when={number}"];
            wasKilled = Tools.Run("strace", [.. kill, Hacktree.Path, .. root.Arguments("checkout", "--force", "a", place)]).ExitCode != 0;
            if (Directory.Exists(place))
            {
                bool isOld = (File.Exists(record) ? File.ReadAllText(record) : "") == before;
                unrecorded.AddRange(isOld ? [number] : []);
                root.Ok("roots", "rm", number % 2 == 0 ? place : "r2");
            }
            else
            {
                Assert.Contains("no root of that name", root.Refused("roots", "rm", "r2"), StringComparison.Ordinal);
            }

            Assert.False(Directory.Exists(place) || File.Exists(record));
            root.AssertCleanAfterGc();
        }

        Assert.NotEmpty(unrecorded);
        Comparison.Same(root.At("r1"), root.At("r0"));
    }
}
