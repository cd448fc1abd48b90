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
}
