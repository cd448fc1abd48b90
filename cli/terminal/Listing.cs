using System.Globalization;
using System.Text;
using HackTree.Linux;

namespace HackTree.Cli;

/// <summary>
/// A table on standard output. On a terminal it has headings, and each row is one line: columns of little weight go where it is too narrow, and
/// then cells are cut. In a pipe or file it has only the rows, whole, with all columns.
/// </summary>
internal sealed class Listing
{
    private const int Gap = 2;
    private const int NarrowestCell = 8;

    private readonly Column[] columns;
    private readonly List<string[]> rows = [];

    internal Listing(params Column[] columns) => this.columns = columns;

    internal void Add(params IEnumerable<string> cells) => rows.Add([.. cells]);

    /// <param name="hasHeadings">Whether a pipe or file gets headings too.</param>
    internal void Print(bool hasHeadings = false)
    {
        if (StandardOutput.IsTerminal || hasHeadings)
        {
            PrintTable(StandardOutput.IsTerminal ? Sys.TerminalWidth(1) : int.MaxValue);
        }
        else
        {
            int[] widths = [.. columns.Select((_, i) => rows.Select(row => WidthOf(row[i])).DefaultIfEmpty().Max())];
            PrintRows(widths, [.. Enumerable.Range(0, columns.Length)]);
        }
    }

    private void PrintTable(int width)
    {
        if (rows.Count == 0)
        {
            return;
        }

        int[] widths = [.. columns.Select((column, i) => rows.Max(row => WidthOf(row[i])))];
        int[] shown = [.. Enumerable.Range(0, columns.Length).Where(i => widths[i] > 0)];
        foreach (int i in shown)
        {
            widths[i] = Math.Max(widths[i], columns[i].Heading.Length);
        }

        while (Total(widths, shown) > width && shown.Max(i => columns[i].Rank) is > 0 and int least)
        {
            shown = [.. shown.Where(i => columns[i].Rank < least)];
        }

        while (Total(widths, shown) > width && shown.MaxBy(i => widths[i]) is int widest && widths[widest] > NarrowestCell)
        {
            widths[widest] = Math.Max(NarrowestCell, widths[widest] - (Total(widths, shown) - width));
        }

        (string start, string end) = Colors.Underlined;
        StandardOutput.Instance.WriteLine(string.Join(new string(' ', Gap), shown.Select(i =>
        {
            string padding = new(' ', widths[i] - columns[i].Heading.Length);
            string heading = $"{start}{columns[i].Heading}{end}";
            return columns[i].IsNumber ? padding + heading : i == shown[^1] ? heading : heading + padding;
        })));
        PrintRows(widths, shown);
    }

    private void PrintRows(int[] widths, int[] shown)
    {
        var line = new StringBuilder();
        foreach (string[] row in rows)
        {
            line.Clear();
            foreach (int i in shown)
            {
                string cell = WidthOf(row[i]) <= widths[i] ? row[i] : Cut(row[i], widths[i], columns[i].IsPath);
                string padding = new(' ', widths[i] - WidthOf(cell));
                line.Append(line.Length > 0 ? "  " : "").Append(columns[i].IsNumber ? padding + cell : cell + padding);
            }

            StandardOutput.Instance.WriteLine(line.ToString().TrimEnd(' '));
        }
    }

    private static int Total(int[] widths, int[] shown) => shown.Sum(i => widths[i]) + (Gap * (shown.Length - 1));

    private static string Cut(string cell, int width, bool keepEnd)
    {
        Rune[] runes = [.. cell.EnumerateRunes()];
        var kept = new List<string>();
        int used = 1;
        foreach (Rune rune in keepEnd ? runes.Reverse() : runes)
        {
            used += WidthOf(rune);
            if (used > width)
            {
                break;
            }

            kept.Add(rune.ToString());
        }

        return keepEnd ? "…" + string.Concat(Enumerable.Reverse(kept)) : string.Concat(kept) + "…";
    }

    /// <summary>The number of columns of the terminal that a text takes.</summary>
    private static int WidthOf(string text) => Ascii.IsValid(text) ? text.Length : text.EnumerateRunes().Sum(WidthOf);

    private static int WidthOf(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format ? 0
        : IsWide(rune.Value) ? 2
        : 1;

    /// <summary>Whether terminals show a character in two columns: the wide ranges of Unicode's EastAsianWidth.txt, roughly.</summary>
    private static bool IsWide(int value) =>
        value is >= 0x1100 and <= 0x115F or >= 0x2E80 and <= 0xA4CF or >= 0xAC00 and <= 0xD7A3 or >= 0xF900 and <= 0xFAFF or >= 0xFE30 and <= 0xFE6F
            or >= 0xFF00 and <= 0xFF60 or >= 0xFFE0 and <= 0xFFE6 or >= 0x1F300 and <= 0x1F64F or >= 0x1F900 and <= 0x1F9FF or >= 0x20000 and <= 0x3FFFD;
}
