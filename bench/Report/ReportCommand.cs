using System.CommandLine;

namespace HackTree.Bench.Report;

/// <summary>`report`: prints a results.json as Markdown.</summary>
internal sealed class ReportCommand : Command
{
    private readonly Argument<string> file = new("FILE") { Description = "The results.json of a compare run." };
    private readonly Option<string?> charts = new("--charts") { Description = "Draw the charts again, into this directory.", HelpName = "DIR" };

    internal ReportCommand()
        : base("report", "Print the Markdown tables of a results.json.")
    {
        Add(file);
        Add(charts);
        SetAction(parse =>
        {
            Results results = ResultsFile.Read<Results>(File.ReadAllText(parse.GetValue(file)!));
            Console.Write(MarkdownReport.Write(results));
            if (parse.GetValue(charts) is { } folder)
            {
                WorkCharts.Draw(results, folder);
            }
        });
    }
}
