using Spectre.Console;

namespace HackTree.Bench.Report;

/// <summary>Prints the results as tables on the terminal.</summary>
internal static class TerminalReport
{
    // A narrower terminal wraps the lines, which is better than cutting cells short.
    private const int Width = 130;

    internal static void Print(Results results, IAnsiConsole console)
    {
        console.Profile.Width = Math.Max(console.Profile.Width, Width);
        foreach (Work work in Work.All)
        {
            IReadOnlyList<Row> rows = Summary.Rows(results, work);
            if (rows.Count > 0)
            {
                console.Write(TableOf(work, rows));
            }
        }

        foreach (string skipped in results.Skipped)
        {
            console.MarkupLineInterpolated($"[yellow]not here:[/] {skipped}");
        }
    }

    private static Table TableOf(Work work, IReadOnlyList<Row> rows)
    {
        Table table = new Table().MinimalBorder().Title($"[bold]{Markup.Escape(work.Title)}[/]");
        foreach (string column in Columns.Headings(work))
        {
            Justify alignment = column.Length == 0 ? Justify.Left : Justify.Right;
            table.AddColumn(new TableColumn(Markup.Escape(column)) { Alignment = alignment, NoWrap = true });
        }

        foreach (Row row in rows)
        {
            string style = row.Contestant switch { Summary.HackTree => "bold", Summary.Floor => "green", _ => "default" };
            table.AddRow(Columns.Cells(work, row).Select(cell => $"[{style}]{Markup.Escape(cell)}[/]").ToArray());
        }

        return table;
    }
}
