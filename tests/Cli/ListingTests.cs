using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Cli;

/// <summary>Tables on terminals of several widths, and in a pipe.</summary>
public sealed class ListingTests : IDisposable
{
    private const string LongRef = "a-branch/with-a-name-that-is-longer-than-any-terminal-of-sixty-columns-is-wide";

    private readonly CliWorld world = new();
    private readonly string commit;

    public ListingTests()
    {
        Tools.Require("script");
        commit = world.Commit("debian/test", "-s", "a subject of some length, as people write them when they have time to think");
        world.Run("refs", "set", LongRef, "debian/test").Succeeded();
        world.Shell("$H checkout -q debian/test r1; $H checkout -q debian/test a-root-with-a-rather-long-name").Succeeded();
    }

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData(80)]
    [InlineData(60)]
    [InlineData(40)]
    public void Each_row_is_one_line_of_a_terminal_and_has_what_matters(int width)
    {
        string[] refs = Lines(width, "refs");
        Assert.Equal(3, refs.Length);
        Assert.StartsWith("REF ", refs[0]);
        Assert.All(refs[1..], line => Assert.Contains(commit[..16], line));
        Assert.Contains(refs, line => line.StartsWith("a-branch/", StringComparison.Ordinal) && line.Contains('…') == width < 100);
        Assert.Contains(refs, line => line.StartsWith("debian/", StringComparison.Ordinal));

        string[] roots = Lines(width, "roots");
        Assert.Equal(3, roots.Length);
        Assert.StartsWith("STATE ", roots[0]);
        Assert.All(roots[1..], line => Assert.Matches($"^ready .*(/r1|-name) +{commit[..16]}", line));
    }

    [Fact]
    public void A_wide_terminal_shows_all()
    {
        Assert.All(Lines(240, "refs")[1..], line => Assert.EndsWith("time to think", line));
        Assert.All(Lines(240, "roots")[1..], line => Assert.EndsWith("hardlink  debian/test", line));
    }

    [Fact]
    public void A_pipe_gets_whole_names()
    {
        Assert.Contains(LongRef, world.Run("refs").Succeeded());
        Assert.Contains(world.At("a-root-with-a-rather-long-name"), world.Run("roots").Succeeded());
    }

    [Fact]
    public void A_pinned_root_that_is_gone_is_shown_so_and_can_be_unpinned()
    {
        world.Shell("$H roots pin r1; rm -r r1").Succeeded();
        Assert.Contains($"missing, pinned  {world.At("r1")} ", world.Run("roots").Succeeded());
        Assert.Contains($"`hacktree roots unpin {world.At("r1")}` lets it", world.Run("roots", "rm", "r1").Error);
        world.Shell("$H gc -q > /dev/null").Succeeded();
        Assert.Contains("missing, pinned", world.Run("roots").Succeeded());
        world.Run("roots", "unpin", world.At("r1")).Succeeded();
        Assert.Contains($"missing  {world.At("r1")} ", world.Run("roots").Succeeded());
        world.Run("gc").Succeeded();
        Assert.DoesNotContain("missing", world.Run("roots").Succeeded());
    }

    [Fact]
    public void The_running_root_is_marked()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can bind mounts");

        // A root that / shows is one whose directory is that of /: this one is entered with every directory of / mounted inside, wherever the program is.
        world.Shell("""
            set -e
            cat > enter <<'END'
            set -e
            mount --bind r1 r1
            for d in /*; do
                [ ! -d $d ] || { mkdir -p r1$d; mount --rbind $d r1$d; }
            done
            chroot r1 $H --store $PWD/objects roots > listed
            END
            unshare --mount bash enter
            """).Succeeded();
        string listed = File.ReadAllText(world.At("listed"));
        Assert.Contains("ready, running  ", listed);
        Assert.Contains("ready           ", listed);
    }

    private string[] Lines(int width, string command)
    {
        string seen = world.Shell($"NO_COLOR=1 script -qec 'stty cols {width}; $H {command}' /dev/null").Succeeded();
        string[] lines = [.. seen.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.TrimEnd('\r'))];
        Assert.All(lines, line => Assert.InRange(line.Length, 1, width));
        return lines;
    }
}
