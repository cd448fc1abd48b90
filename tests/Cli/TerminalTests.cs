using HackTree.Tests.Support;

namespace HackTree.Tests.Cli;

/// <summary>Output that only a terminal gets.</summary>
public sealed class TerminalTests : IDisposable
{
    // Half a second of work or more: a fifo keeps the archive waiting.
    private const string SlowCommit = "(cat head; sleep 1.5; cat tail) | $H commit -b slow --tar -";

    private readonly CliWorld world = new();

    public TerminalTests() => world.Shell("tar -C tree -cf t.tar .; head -c 5120 t.tar > head; tail -c +5121 t.tar > tail").Succeeded();

    public void Dispose() => world.Dispose();

    [Fact]
    public void Progress_appears_on_a_terminal_and_goes_away()
    {
        Tools.Require("script");
        string seen = world.Shell($"script -qec '{SlowCommit}' /dev/null").Succeeded();
        Assert.Matches("committing: [0-9,]+ files, .*/s", seen);

        // The progress line is erased at the end.
        Assert.Matches("\r\u001b\\[K[^\u001b]*\n$", seen);
        Assert.DoesNotContain("\u001b[?25l", seen);
    }

    [Theory]
    [InlineData("script -qec '$H_QUIET' /dev/null")]
    [InlineData("script -qec 'TERM=dumb; export TERM; $H_SLOW' /dev/null")]
    [InlineData("$H_PLAIN 2>&1")]
    public void No_progress_where_nobody_wants_it(string how)
    {
        Tools.Require("script");
        string script = how.Replace("$H_QUIET", SlowCommit + " -q").Replace("$H_SLOW", SlowCommit).Replace("$H_PLAIN", $"({SlowCommit})");
        string seen = world.Shell(script).Succeeded();
        Assert.DoesNotContain("committing", seen);
        Assert.DoesNotContain("\u001b", seen);
    }

    [Fact]
    public void Tables_have_headings_on_a_terminal_only_and_no_color_where_none_is_wanted()
    {
        Tools.Require("script");
        world.Commit();
        Assert.DoesNotContain("COMMIT", world.Run("refs").Succeeded());
        Assert.DoesNotContain("\u001b", world.Run("refs").Succeeded());
        string seen = world.Shell("script -qec '$H refs' /dev/null").Succeeded();
        Assert.Contains("COMMIT", seen);
        Assert.Contains("\u001b", seen);
        string plain = world.Shell("NO_COLOR=1 script -qec '$H refs' /dev/null").Succeeded();
        Assert.Contains("COMMIT", plain);
        Assert.DoesNotContain("\u001b", plain);
    }

    [Fact]
    public void A_diff_has_colors_on_a_terminal_that_wants_them()
    {
        Tools.Require("script");
        world.Commit("a");
        world.Shell("echo new > tree/new; rm tree/usr/share/empty; chmod 700 tree/usr/bin").Succeeded();
        const string colored = "\u001b[32mA new\u001b[0m";
        Assert.Contains(colored, world.Shell("script -qec '$H diff a ./tree' /dev/null").Output);
        Assert.Contains("\u001b[31mD usr/share/empty\u001b[0m", world.Shell("script -qec '$H diff a ./tree' /dev/null").Output);
        Assert.DoesNotContain("\u001b", world.Shell("NO_COLOR=1 script -qec '$H diff a ./tree' /dev/null").Output);
        Assert.DoesNotContain("\u001b", world.Run("diff", "a", "./tree").Output);
    }

    [Fact]
    public void A_reader_that_stops_is_no_error()
    {
        world.Shell("head -c 5000000 /dev/urandom > tree/big; mkdir tree/many; cd tree/many; seq -f '%020.0f' 20000 | xargs touch").Succeeded();
        world.Commit("a");
        foreach (string command in new[] { "cat a big", "export a --tar -", "ls -R a", "ls -R a --json" })
        {
            ToolResult result = world.Shell($"$H {command} | head -c 1 > /dev/null; exit ${{PIPESTATUS[0]}}");
            Assert.Equal((141, ""), (result.ExitCode, result.Error));
        }
    }

    [Fact]
    public void A_full_output_is_an_error()
    {
        world.Commit("a");
        ToolResult result = world.Shell("$H cat a usr/share/doc/large > /dev/full");
        Assert.Equal((1, "hacktree: standard output: no space left on the filesystem\n"), (result.ExitCode, result.Error));
    }

    [Fact]
    public void A_message_is_one_line_whatever_a_path_holds()
    {
        ToolResult result = world.Run("--store", "no\n\u001b[31mwhere", "refs");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("no\\012\\033[31mwhere: there is no store", result.Error);
        Assert.Equal(result.Error.Length - 1, result.Error.IndexOf('\n', StringComparison.Ordinal));
    }
}
