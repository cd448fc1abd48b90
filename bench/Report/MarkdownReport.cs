using System.Text;

namespace HackTree.Bench.Report;

/// <summary>Writes the results as Markdown, for bench/RESULTS.md and README. No figure is typed by hand.</summary>
internal static class MarkdownReport
{
    internal static string Write(Results results)
    {
        var text = new StringBuilder();
        MachineFacts machine = results.Machine;
        TreeFacts tree = results.Tree;
        FilesystemFacts filesystem = results.Filesystem;
        text.Append($"{results.Date:yyyy-MM-dd}, {machine.Processor}, {machine.Cores} cores, {Figures.Bytes(machine.MemoryBytes)}, ");
        text.AppendLine($"{machine.Kernel}, {machine.System}; load before: {machine.LoadBefore}.  ");
        text.Append($"Tree: `{tree.Path}`, {Figures.Count(tree.Directories)} directories, {Figures.Count(tree.OtherNames)} other names ");
        text.Append($"({Figures.Count(tree.RegularFiles)} files), {Figures.Bytes(tree.Bytes)}; ");
        text.AppendLine($"{Figures.Count(tree.ChangedFiles)} files changed where 1 % is said.  ");
        text.Append($"Filesystem: {filesystem.Kind} ({filesystem.Mkfs}) of {filesystem.ImageSize} on a loop device, ");
        text.AppendLine($"its image in `{filesystem.ImageDirectory}`.  ");
        text.Append("Medians. Where a work writes, the time counts until a syncfs after the command is done. ");
        text.AppendLine("\"x hacktree\" above 1 is slower than hacktree.");
        if (results.Samples.Any(sample => Work.Find(sample.Work).Without is not null))
        {
            text.AppendLine("\"x without\" is the time divided by the program's own time for the tree without extended attributes.");
        }

        foreach (Work work in Work.All)
        {
            AppendWork(text, results, work);
        }

        text.AppendLine().AppendLine("How each was run:").AppendLine();
        foreach (ContestantFacts contestant in results.Contestants)
        {
            text.AppendLine($"- **{contestant.Name}** ({contestant.Version}): {contestant.How}");
        }

        foreach (string skipped in results.Skipped)
        {
            text.AppendLine($"- not here: {skipped}");
        }

        return text.ToString();
    }

    private static void AppendWork(StringBuilder text, Results results, Work work)
    {
        IReadOnlyList<Row> rows = Summary.Rows(results, work);
        if (rows.Count == 0)
        {
            return;
        }

        text.AppendLine().AppendLine($"### {work.Title}").AppendLine();
        AppendRow(text, Columns.Headings(work));
        AppendRow(text, Columns.Headings(work).Select((_, number) => number == 0 ? "---" : "--:"));
        foreach (Row row in rows)
        {
            IEnumerable<string> cells = Columns.Cells(work, row).Select(cell => cell.Replace("|", "\\|", StringComparison.Ordinal));
            AppendRow(text, row.Contestant == Summary.HackTree ? cells.Select(cell => cell.Length > 0 ? $"**{cell}**" : cell) : cells);
        }
    }

    private static void AppendRow(StringBuilder text, IEnumerable<string> cells) => text.AppendLine($"| {string.Join(" | ", cells)} |");
}
