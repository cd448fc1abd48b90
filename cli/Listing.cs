using System.Text;
using HackTree.Linux;
using Spectre.Console;

namespace HackTree.Cli;

/// <summary>
/// A table on standard output: columns with a heading on a terminal; into a pipe or file the rows alone, never wrapped.
/// </summary>
internal sealed class Listing
{
    private const string Gap = "  ";

    private readonly bool[] areNumbers;
    private readonly Table table = new Table().NoBorder();
    private readonly List<string[]> rows = [];

    internal Listing(params ReadOnlySpan<string> columns)
    {
        areNumbers = new bool[columns.Length];
        for (int i = 0; i < columns.Length; i++)
        {
            string column = columns[i];
            bool isNumber = areNumbers[i] = column.StartsWith('>');
            table.AddColumn(new TableColumn(new Text(column.TrimStart('>'), new Style(decoration: Decoration.Underline)))
            {
                NoWrap = true,
                Padding = new Padding(0, 0, 2, 0),
                Alignment = isNumber ? Justify.Right : Justify.Left,
            });
        }
    }

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

    /// <summary>A program reads it, or a person later: no headings, no fitting; and a thousand rows in no time.</summary>
    private void PrintRows()
    {
        int[] widths = [.. areNumbers.Select((_, i) => rows.Count == 0 ? 0 : rows.Max(row => row[i].Length))];
        foreach (string[] row in rows)
        {
            IEnumerable<string> cells = row.Select((cell, i) => areNumbers[i] ? cell.PadLeft(widths[i]) : cell.PadRight(widths[i]));
            StandardOutput.Instance.WriteLine(string.Join(Gap, cells).TrimEnd(' '));
        }
    }

    private void PrintTable()
    {
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

    private static bool HasColors => string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")) && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");

    /// <summary>Where the table goes. Spectre's own asks .NET's Console for the width, which switches modes of the terminal.</summary>
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
