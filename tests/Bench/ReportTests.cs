using System.Text.Json;
using HackTree.Bench.Compare;
using HackTree.Bench.Peers;
using HackTree.Bench.Report;
using HackTree.Bench.Scale;
using HackTree.Tests.Support;

namespace HackTree.Tests.Bench;

/// <summary>results.json, its Markdown and its charts.</summary>
public sealed class ReportTests
{
    private static readonly Results Some = new()
    {
        Date = new DateTimeOffset(2026, 11, 23, 4, 17, 0, TimeSpan.Zero),
        Machine = new MachineFacts("A Processor", 2, 16_000_000_000, "Linux 6.1", "Debian 12", "0.10 0.20 0.30"),
        Tree = new TreeFacts("/trees/debian", 1132, 7611, 6948, 655, 167_892_561, 69),
        Filesystem = new FilesystemFacts("ext4", "mke2fs 1.47.0", "/dev/shm", "8G"),
        Contestants = [new ContestantFacts("hacktree", "0.1.0", "As it is."), new ContestantFacts("ostree", "2022.7", "A bare repository.")],
        Skipped = ["borg: not installed"],
        Samples =
        [
            SummaryTests.Sample(Work.Checkout, "hacktree", 1, 0.5),
            SummaryTests.Sample(Work.Checkout, "ostree", 1, 1, 0.25),
            SummaryTests.Sample(Work.Checkout, "floor", 1, 0.4, 0.01),
            SummaryTests.Sample(Work.Du, "hacktree", 1, 0.01),
        ],
    };

    [Fact]
    public void What_is_written_is_read_again()
    {
        string json = ResultsFile.Write(Some);
        Assert.Equal(json, ResultsFile.Write(ResultsFile.Read<Results>(json)));
        JsonElement document = JsonDocument.Parse(json).RootElement;
        Assert.Equal(4, document.GetProperty("samples").GetArrayLength());
        Assert.Equal(2, document.GetProperty("machine").GetProperty("cores").GetInt32());
        JsonElement ostree = document.GetProperty("medians").EnumerateArray().Single(row => row.GetProperty("contestant").GetString() == "ostree");
        Assert.Equal((1.25, 2.5), (ostree.GetProperty("counted").GetDouble(), ostree.GetProperty("toHackTree").GetDouble()));
    }

    [Fact]
    public void Markdown_has_every_row_the_machine_and_what_was_not_there()
    {
        string text = MarkdownReport.Write(Some);
        Assert.Contains("| ostree | 1.25 s | 1.25 s - 1.25 s | 1.00 s | 2.50 x | 3.05 x | 0.50 s | 1.00 MB |", text);
        Assert.Contains("| **hacktree** | **0.50 s** |", text);
        Assert.Contains("| floor: floor | 0.41 s |", text);
        Assert.Contains("A Processor, 2 cores", text);
        Assert.Contains("- not here: borg: not installed", text);
        Assert.DoesNotContain(Work.Find(Work.Gc).Title, text);
    }

    [Fact]
    public void There_is_a_chart_of_each_work_that_somebody_did()
    {
        using var folder = new TempDirectory();
        WorkCharts.Draw(Some, folder.Path);
        Assert.Equal(["checkout.png", "checkout.svg", "du.png", "du.svg"], Directory.EnumerateFiles(folder.Path).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal));
        string chart = File.ReadAllText(folder.At("checkout.svg"));
        Assert.Contains("ostree", chart);
        Assert.Contains("floor 0.41 s", chart);
        Assert.Contains("2.50 x", chart);
    }

    [Theory]
    [InlineData(0.0004, "0.40 ms")]
    [InlineData(0.0123, "12.3 ms")]
    [InlineData(0.0994, "99.4 ms")]
    [InlineData(0.1, "0.10 s")]
    [InlineData(9.994, "9.99 s")]
    [InlineData(123.4, "123 s")]
    public void Seconds_have_three_digits(double seconds, string text) => Assert.Equal(text, Figures.Seconds(seconds));

    [Theory]
    [InlineData(0, "0.00 B")]
    [InlineData(1_234_567, "1.23 MB")]
    [InlineData(999_600, "1.00 MB")]
    [InlineData(150_000_000, "150 MB")]
    public void Bytes_have_three_digits(double bytes, string text) => Assert.Equal(text, Figures.Bytes(bytes));

    [Fact]
    public void The_line_of_measure_is_read()
    {
        Assert.Equal(new Measurement(1.5, 0.25, 3, 2048, 3), Measurement.Parse("1.500000 0.250000 2.000000 1.000000 2 3\n"));
        Assert.Throws<FormatException>(() => Measurement.Parse("1.5 2"));
    }

    [Fact]
    public void Growth_in_proportion_is_1()
    {
        ScaleResults results = new()
        {
            Date = Some.Date,
            Machine = Some.Machine,
            Filesystem = Some.Filesystem,
            HackTree = "0.1.0",
            Skipped = [],
            Points = [Point(10_000, 0.2), Point(1_000_000, 20)],
        };
        Assert.Equal(1, results.Exponent(Work.Gc)!.Value, 9);
        Assert.Null(results.Exponent(Work.Fsck));
        Assert.Contains("| 0.20 s, 1.00 MB | 20.0 s, 1.00 MB | 1.00 |", ScaleReport.Write(results));

        static ScalePoint Point(long files, double seconds) =>
            new(files, files / 14, files * 1000, Summary.Rows([SummaryTests.Sample(Work.Gc, "hacktree", 1, seconds)], Work.Find(Work.Gc)));
    }

    [Fact]
    public void Every_step_is_for_a_work_there_is_and_every_peer_says_how_it_is_run()
    {
        var arena = new Arena { Tree = "/t", Changed = "/c", Plain = "/p", PlainChanged = "/q", Place = "/m", HackTree = "/h", Floor = "/f", Threads = 2 };
        Contestant[] all = [new HackTreeProgram("/h"), new FloorProgram(), .. Contestant.Peers];
        foreach (Contestant contestant in all)
        {
            Assert.NotEmpty(contestant.How);
            Assert.All(
                contestant.Steps(arena),
                step => Assert.Subset(Contestant.PlainWorks.ToHashSet(), new HashSet<string>([.. step.NeededFor, .. step.Work is null ? [] : (string[])[step.Work]])));
        }

        Assert.Equal(Contestant.PlainWorks.Order(), all[0].Steps(arena).Where(step => step.Work is not null).Select(step => step.Work!).Distinct().Order());
        Assert.Equal(all.Length, all.Select(contestant => contestant.Name).Distinct().Count());
    }
}
