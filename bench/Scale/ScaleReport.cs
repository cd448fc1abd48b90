using System.Globalization;
using System.Text;
using HackTree.Bench.Report;

namespace HackTree.Bench.Scale;

/// <summary>Writes the results of `scale` as a Markdown table: a row for each command, and a column for each tree.</summary>
internal static class ScaleReport
{
    internal static string Write(ScaleResults results)
    {
        MachineFacts machine = results.Machine;
        var text = new StringBuilder();
        text.Append($"{results.Date:yyyy-MM-dd}, {machine.Processor}, {machine.Cores} cores, {machine.Kernel}, ");
        text.Append($"load before: {machine.LoadBefore}; {results.HackTree}; {results.Filesystem.Kind} of {results.Filesystem.ImageSize} ");
        text.AppendLine($"on a loop device, its image in `{results.Filesystem.ImageDirectory}`.  ");
        text.Append(results.IsCold ? "The page cache was dropped before each command. " : "");
        text.Append("Time (synced where the work writes) and peak memory. Growth: the power of the number of files, ");
        text.AppendLine("between the first tree and the last; 1 is in proportion.").AppendLine();
        IEnumerable<string> trees = results.Points.Select(point => $"{Figures.Count(point.Files)} files, {Figures.Bytes(point.Bytes)}");
        text.AppendLine($"| | {string.Join(" | ", trees)} | growth |");
        text.AppendLine($"| --- |{string.Concat(results.Points.Select(_ => " --: |"))} --: |");
        foreach (Work work in Work.All.Where(work => results.Points.Any(point => point.Find(work.Id) is not null)))
        {
            IEnumerable<string> cells = results.Points.Select(point => point.Find(work.Id) is { } row
                ? $"{Figures.Seconds(row.Counted)}, {Figures.Bytes(row.PeakBytes)}"
                : "-");
            string growth = results.Exponent(work.Id)?.ToString("0.00", CultureInfo.InvariantCulture) ?? "-";
            text.AppendLine($"| {work.Title} | {string.Join(" | ", cells)} | {growth} |");
        }

        foreach (string skipped in results.Skipped)
        {
            text.AppendLine().AppendLine($"Not here: {skipped}");
        }

        return text.ToString();
    }
}
