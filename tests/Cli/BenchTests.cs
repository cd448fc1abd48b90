using HackTree.Tests.Support;

namespace HackTree.Tests.Cli;

/// <summary>`hacktree bench`: its output, and that it leaves nothing behind however it ends.</summary>
public sealed class BenchTests : IDisposable
{
    private readonly CliWorld world = new(hasStore: false);

    public void Dispose() => world.Dispose();

    [Fact]
    public void It_times_every_verb_and_leaves_nothing()
    {
        string before = world.Listing();
        ToolResult result = world.Run("bench", "--rounds", "1", "tree");
        string[] lines = result.Succeeded().TrimEnd().Split('\n');
        foreach (string work in (string[])["first commit", "commit, nothing changed", "checkout ", "checkout, bare calls", "cp -al", "diff", "gc", "fsck"])
        {
            Assert.Contains(lines, line => line.StartsWith(work, StringComparison.Ordinal));
        }

        Assert.EndsWith(" 1.00", lines.Single(line => line.StartsWith("checkout, bare calls", StringComparison.Ordinal)));
        Assert.Contains("tree, 1 round in", result.Error);
        Assert.Equal(before, world.Listing());
    }

    [Theory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    [InlineData("HUP", 129)]
    public void Interrupted_it_leaves_nothing(string signal, int code)
    {
        // bash starts what runs in the background with SIGINT ignored, which the program would respect.
        string before = world.Listing();
        string seen = world.Shell($"env --default-signal $H -q bench --rounds 100 tree & until ls -d .hacktree-bench-*/2/objects 2> /dev/null; do sleep 0.05; done; kill -{signal} $!; wait $! || echo $?").Succeeded();
        Assert.EndsWith($"\n{code}\n", seen);
        Assert.Equal(before, world.Listing());
    }

    [Fact]
    public void After_a_failure_it_leaves_nothing()
    {
        // The tree goes away between two rounds.
        string before = world.Listing();
        string seen = world.Shell("cp -a tree gone; $H -q bench --rounds 100 gone 2> error & until [ -d .hacktree-bench-*/2 ]; do sleep 0.05; done; rm -r gone; wait $! || echo $?; cat error; rm error").Succeeded();
        Assert.StartsWith("1\nhacktree: ", seen);
        Assert.Equal(before, world.Listing());
    }

    [Theory]
    [InlineData(2, "--rounds", "0", "tree")]
    [InlineData(2, "--rounds", "x", "tree")]
    [InlineData(1, "--dir", "/proc", "tree")]
    [InlineData(1, "nowhere")]
    [InlineData(1, "--dir", "nowhere", "tree")]
    public void What_cannot_be_done_is_said_in_one_line(int code, params string[] arguments)
    {
        ToolResult result = world.Run(["bench", .. arguments]);
        Assert.Equal((code, 1), (result.ExitCode, result.Error.Count(c => c == '\n')));
    }
}
