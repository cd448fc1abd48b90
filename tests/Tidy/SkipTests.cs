using HackTree.Tests.Support;

namespace HackTree.Tests.Tidy;

/// <summary>What .ci/summary makes of a test run's report: in CI a test that was skipped is one that failed.</summary>
public sealed class SkipTests : IDisposable
{
    private const string Report =
        """
        <assemblies><assembly><collection>
          <test name="Boots.A" result="Pass" />
          <test name="Boots.B" result="Skip"><reason>no emulator</reason></test>
          <test name="Boots.C" result="NotRun" />
        </collection></assembly></assemblies>
        """;

    private readonly TempDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void A_skip_is_named_and_fails_nothing_elsewhere()
    {
        ToolResult result = Summary(Report, "", isCi: false);
        Assert.Equal((0, "skipped: Boots.B: no emulator\nskipped: Boots.C: \n1 passed, 0 failed, 2 skipped\n"), (result.ExitCode, result.Output));
    }

    [Fact]
    public void In_CI_it_fails()
    {
        ToolResult result = Summary(Report, "# a comment\n", isCi: true);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("failed, for CI skips nothing: Boots.B: no emulator\n", result.Output, StringComparison.Ordinal);
        Assert.EndsWith("1 passed, 2 failed\n", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void But_not_where_the_list_allows_it()
    {
        ToolResult result = Summary(Report, "Boots.B  no emulator on this machine\n*.C  takes an hour\n", isCi: true);
        Assert.Equal((0, "1 passed, 0 failed, 2 skipped"), (result.ExitCode, result.Output.TrimEnd().Split('\n')[^1]));
    }

    [Fact]
    public void A_line_that_allows_what_is_not_skipped_fails_and_one_for_other_tests_does_not()
    {
        Assert.Equal(0, Summary(Report, "Boots.[BC]  x\nImages.*  y\n", isCi: true).ExitCode);
        ToolResult result = Summary(Report, "Boots.A  x\nBoots.[BC]  x\n", isCi: true);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("failed: Boots.A is not skipped any more", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_line_with_a_question_mark_is_for_a_test_that_may_be_skipped()
    {
        Assert.Equal(0, Summary(Report, "?Boots.*  needs a folder that is not everywhere\n", isCi: true).ExitCode);
        Assert.Equal(0, Summary(Report, "?Boots.A  the same\nBoots.[BC]  x\n", isCi: true).ExitCode);
    }

    [Fact]
    public void A_line_without_a_reason_ends_the_run()
    {
        ToolResult result = Summary(Report, "Boots.*\n", isCi: true);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("'Boots.*' has no reason", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_failed_test_a_broken_fixture_an_empty_run_and_no_report_fail()
    {
        Assert.Contains("failed: A\n0 passed, 1 failed", Summary("<a><test name='A' result='Fail' /></a>", "", isCi: false).Output, StringComparison.Ordinal);
        Assert.Equal(1, Summary("<a><test name='A' result='Fail' /><test name='B' result='Pass' /></a>", "", isCi: false).ExitCode);
        Assert.Equal(1, Summary("<a><errors><error name='F' /></errors><test name='B' result='Pass' /></a>", "", isCi: false).ExitCode);
        Assert.Equal(1, Summary("<a />", "", isCi: false).ExitCode);
        Assert.Contains("left no report", Summary("<a", "", isCi: false).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_list_itself_can_be_read()
    {
        ToolResult result = Summary("<a><test name='none' result='Pass' /></a>", File.ReadAllText(Path.Combine(Repository.Root, ".ci", "skips")), isCi: true);
        Assert.Equal((0, "1 passed, 0 failed\n"), (result.ExitCode, result.Output));
    }

    private ToolResult Summary(string report, string skips, bool isCi)
    {
        File.WriteAllText(directory.At("report.xml"), report);
        File.WriteAllText(directory.At("skips"), skips);
        string script = Path.Combine(Repository.Root, ".ci", "summary");
        return Tools.Run("python3", [script, directory.At("report.xml"), directory.At("skips")], new Dictionary<string, string> { ["CI"] = isCi ? "true" : "" });
    }
}
