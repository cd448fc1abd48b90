using System.Text;
using HackTree.Linux;
using Spectre.Console;

namespace HackTree.Cli;

/// <summary>
/// A table on standard output: columns with a heading on a terminal; into a pipe or file the rows alone, never wrapped.
/// </summary>
internal sealed class Listing
{
    private readonly Table table = new Table().NoBorder();

    internal Listing(params ReadOnlySpan<string> columns)
    {
        table.ShowHeaders = StandardOutput.IsTerminal;
        foreach (string column in columns)
        {
            bool isNumber = column.StartsWith('>');
            table.AddColumn(new TableColumn(new Text(column.TrimStart('>'), new Style(decoration: Decoration.Underline)))
            {
                NoWrap = true,
                Padding = new Padding(0, 0, 2, 0),
                Alignment = isNumber ? Justify.Right : Justify.Left,
            });
        }
    }

    internal void Add(params IEnumerable<string> cells) => table.AddRow(cells.Select(cell => new Text(cell)));

    internal void Print()
    {
        using var text = new StringWriter { NewLine = "\n" };
        int width = StandardOutput.IsTerminal ? Sys.TerminalWidth(1) : int.MaxValue / 4;
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = StandardOutput.IsTerminal && HasColors ? AnsiSupport.Yes : AnsiSupport.No,
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

        public bool IsTerminal => StandardOutput.IsTerminal;

        public int Width => width;

        public int Height => 24;

        public void SetEncoding(Encoding encoding)
        {
            // The text becomes bytes in StandardOutput.
        }
    }
}
