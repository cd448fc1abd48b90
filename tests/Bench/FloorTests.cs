using HackTree.Bench.Compare;
using HackTree.Tests.Support;

namespace HackTree.Tests.Bench;

/// <summary>The floor must make all that a checkout makes. Runs bench/native/floor.c on a small tree.</summary>
public sealed class FloorTests : IDisposable
{
    private const string MakeTree = """
        mkdir -p tree/a/b/c tree/empty place
        for i in $(seq 30); do echo "content $i" > tree/a/f$i; done
        cp -p tree/a/f1 tree/a/b/twin
        chmod 600 tree/a/f2
        ln -s ../f1 tree/a/b/link
        mkfifo tree/a/b/c/pipe
        : > tree/nothing
        """;

    private readonly TempDirectory directory = new();
    private readonly NativeTools tools;

    public FloorTests()
    {
        Tools.Require("cc", "find");
        tools = NativeTools.Compile();
        Shell(MakeTree);
    }

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData("1")]
    [InlineData("4")]
    public void A_checkout_has_every_name_and_its_files_are_links(string threads)
    {
        double seconds = double.Parse(Shell($"{tools.Floor} checkout tree place {threads}"), System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(seconds, 1e-6, 60);
        Assert.Equal(Shell("cd tree; find . -printf '%P %y %l\n' | sort"), Shell("cd place/root; find . -printf '%P %y %l\n' | sort"));
        Assert.Equal("", Shell("find place/root -type f -links 1"));

        // There are 32 files, and two of them are one object. Each object has a name as long as a store's.
        Assert.Equal("31\n", Shell("find place/floor-objects -type f | wc -l"));
        Assert.Equal("", Shell("find place/floor-objects -type f ! -name '" + new string('?', 62) + ".*'"));
    }

    [Fact]
    public void An_advance_changes_the_changed_and_nothing_else()
    {
        Shell($"cp -a tree changed; {tools.Floor} change changed 10; {tools.Floor} checkout tree place 2; find place/root -type f -printf '%P %i\n' | sort > before");
        Shell($"{tools.Floor} advance tree changed place 2; find place/next -type f -printf '%P %i\n' | sort > after");
        Assert.Equal(Shell("cd tree; find . -type f -printf '%P\n' | sort | sed -n '10~10p'"), Shell("comm -13 before after | cut -d' ' -f1"));
        Assert.False(Directory.Exists(directory.At("place/root")));
    }

    [Fact]
    public void A_tree_is_always_changed_alike()
    {
        Shell("cp -a tree one; cp -a tree two");
        Assert.Equal("3\n", Shell($"{tools.Floor} change one 10"));
        Assert.Equal("3\n", Shell($"{tools.Floor} change two 10"));
        Assert.Equal(List("one"), List("two"));
        Assert.Equal("3\n", Shell("{ diff -rq tree one || true; } | grep -c differ"));
    }

    [Fact]
    public void Counts_are_right() =>
        Assert.Equal("5 34 32 1 " + Shell("find tree -type f -printf '%s\\n' | awk '{s += $1} END {print s}'"), Shell($"{tools.Floor} count tree"));

    [Fact]
    public void Measure_tells_the_exit_code_and_the_memory_of_the_command_alone()
    {
        Shell($"{tools.Measure} result out . sh -c 'echo hi; exit 7'");
        Measurement measured = Measurement.Parse(File.ReadAllText(directory.At("result")));
        Assert.Equal(7, measured.ExitCode);
        Assert.InRange(measured.PeakBytes, 100_000, 8_000_000);
        Assert.Equal("hi\n", File.ReadAllText(directory.At("out")));
    }

    private string List(string tree) => Shell($"cd {tree}; find . -printf '%P %y %m %T@ %s\n' | sort; cat a/f*");

    private string Shell(string script) => Tools.Run("bash", "-c", $"set -eo pipefail; cd {directory.Path}; {script}").Succeeded();
}
