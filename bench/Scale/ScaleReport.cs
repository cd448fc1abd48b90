using System.Globalization;
using System.Text;
using HackTree.Bench.Report;

namespace HackTree.Bench.Scale;

/// <summary>The results of `scale` as a Markdown table: a row for each verb, two columns for each tree.</summary>
internal static class ScaleReport
{
    internal static string Write(ScaleResults results)
    {
        MachineFacts machine = results.Machine;
        var text = new StringBuilder();
        text.AppendLine($"{results.Date:yyyy-MM-dd}, {machine.Processor}, {machine.Cores} cores, {machine.Kernel}, load before: {machine.LoadBefore}; {results.HackTree}; "
            + $"{results.Filesystem.Kind} of {results.Filesystem.ImageSize} on a loop device, its image in `{results.Filesystem.ImageDirectory}`.  ");
        text.Append(results.IsCold ? "The page cache was dropped before each command. " : "").AppendLine("Time (synced where the work writes) and peak memory. Growth: the power of the number of files, between the first tree and the last; 1 is in proportion.").AppendLine();
        text.AppendLine($"| | {string.Join(" | ", results.Points.Select(point => $"{Figures.Count(point.Files)} files, {Figures.Bytes(point.Bytes)}"))} | growth |");
        text.AppendLine($"| --- |{string.Concat(results.Points.Select(_ => " --: |"))} --: |");
        foreach (Work work in Work.All.Where(work => results.Points.Any(point => point.Find(work.Id) is not null)))
        {
            IEnumerable<string> cells = results.Points.Select(point => point.Find(work.Id) is { } row ? $"{Figures.Seconds(row.Counted)}, {Figures.Bytes(row.PeakBytes)}" : "-");
            text.AppendLine($"| {work.Title} | {string.Join(" | ", cells)} | {results.Exponent(work.Id)?.ToString("0.00", CultureInfo.InvariantCulture) ?? "-"} |");
        }

        foreach (string skipped in results.Skipped)
        {
            text.AppendLine().AppendLine($"Not here: {skipped}");
        }

        return text.ToString();
    }
}
