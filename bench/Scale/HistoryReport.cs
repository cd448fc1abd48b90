using System.Text;
using HackTree.Bench.Compare;
using HackTree.Bench.Report;

namespace HackTree.Bench.Scale;

/// <summary>The results of `history`, in history.json.</summary>
/// <param name="Date">When it was measured.</param>
/// <param name="Machine">Where.</param>
/// <param name="HackTree">The version of the program.</param>
/// <param name="Tree">What the store was filled with.</param>
/// <param name="Commits">The numbers of commits at which the commands were measured.</param>
/// <param name="Rows">The commands.</param>
internal sealed record HistoryResults(
    DateTimeOffset Date, MachineFacts Machine, string HackTree, string Tree, IReadOnlyList<int> Commits, IReadOnlyList<HistoryRow> Rows)
{
    /// <summary>The results as a Markdown table: a row for each command, and a column for each number of commits.</summary>
    internal string AsMarkdown()
    {
        var text = new StringBuilder();
        text.Append($"{Date:yyyy-MM-dd}, {Machine.Processor}, {Machine.Cores} cores, {Machine.Kernel}, ");
        text.AppendLine($"load before: {Machine.LoadBefore}; {HackTree}; ext4 in memory.  ");
        text.AppendLine($"{Tree} Time (synced where the command writes) and peak memory.").AppendLine();
        text.AppendLine($"| | {string.Join(" | ", Commits.Select(count => $"{Figures.Count(count)} commits"))} | grows with |");
        text.AppendLine($"| --- |{string.Concat(Commits.Select(_ => " --: |"))} --- |");
        foreach (HistoryRow row in Rows)
        {
            IEnumerable<string> cells = row.Medians.Select(median =>
                $"{Figures.Seconds(median.Seconds + (row.Writes ? median.SyncSeconds : 0))}, {Figures.Bytes(median.PeakBytes)}");
            text.AppendLine($"| {row.Label} | {string.Join(" | ", cells)} | {row.GrowsWith} |");
        }

        return text.ToString();
    }
}

/// <summary>One command.</summary>
/// <param name="Label">The command as people type it.</param>
/// <param name="Writes">Whether the time to sync counts.</param>
/// <param name="GrowsWith">What makes it longer by what it does; "-" for nothing of these.</param>
/// <param name="Medians">The run in the middle, for each number of commits.</param>
internal sealed record HistoryRow(string Label, bool Writes, string GrowsWith, IReadOnlyList<Measurement> Medians);
