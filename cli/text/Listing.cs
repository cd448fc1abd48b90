using System.Text;
using HackTree.Linux;
using Spectre.Console;

namespace HackTree.Cli;

/// <summary>
/// A table on standard output. On a terminal it has headings. In a pipe or file it has only the rows, and no line is wrapped.
/// </summary>
internal sealed class Listing
{
    private const string Gap = "  ";

    // '>' before a heading marks a column of numbers, which are aligned to the right.
    private readonly string[] columns;
    private readonly List<string[]> rows = [];

    internal Listing(params string[] columns) => this.columns = columns;

    internal void Add(params IEnumerable<string> cells) => rows.Add([.. cells]);

    internal void Print()
    {
        if (StandardOutput.IsTerminal)
        {
            PrintTable();
        }
        else
        {
            PrintRows();
        }
    }

    /// <summary>Prints for a program or a file: no headings, no wrapping, and fast for many rows.</summary>
    private void PrintRows()
    {
        int[] widths = [.. columns.Select((_, i) => rows.Count == 0 ? 0 : rows.Max(row => row[i].Length))];
        foreach (string[] row in rows)
        {
            IEnumerable<string> cells = row.Select((cell, i) => IsNumber(columns[i]) ? cell.PadLeft(widths[i]) : cell.PadRight(widths[i]));
            StandardOutput.Instance.WriteLine(string.Join(Gap, cells).TrimEnd(' '));
        }
    }

    private void PrintTable()
    {
        Table table = new Table().NoBorder();
        foreach (string column in columns)
        {
            table.AddColumn(new TableColumn(new Text(column.TrimStart('>'), new Style(decoration: Decoration.Underline)))
            {
                NoWrap = true,
                Padding = new Padding(0, 0, 2, 0),
                Alignment = IsNumber(column) ? Justify.Right : Justify.Left,
            });
        }

        rows.ForEach(row => table.AddRow(row.Select(cell => new Text(cell))));
        using var text = new StringWriter { NewLine = "\n" };
        int width = Sys.TerminalWidth(1);
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = HasColors ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new Place(text, width),
        });
        console.Profile.Width = width;
        console.Write(table);
        foreach (string line in text.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            StandardOutput.Instance.WriteLine(line.TrimEnd(' '));
        }
    }

    private static bool IsNumber(string column) => column.StartsWith('>');

    private static bool HasColors => string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
        && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");

    /// <summary>
    /// The place of the table. Spectre's own asks .NET's Console for the width, and Console changes the terminal's modes.
    /// </summary>
    private sealed class Place(TextWriter writer, int width) : IAnsiConsoleOutput
    {
        public TextWriter Writer => writer;

        public bool IsTerminal => true;

        public int Width => width;

        public int Height => 24;

        public void SetEncoding(Encoding encoding)
        {
            // The text becomes bytes in StandardOutput.
        }
    }
}
