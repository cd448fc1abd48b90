using System.CommandLine;
using System.Text;

namespace HackTree.Cli;

/// <summary>
/// The help of a command as lines that are no wider than the terminal. It has the same parts everywhere: what the command does, how it is called,
/// its arguments and options, more about it, and examples.
/// </summary>
/// <param name="width">The widest line.</param>
internal sealed class HelpText(int width)
{
    private const int WidestTerm = 26;

    private readonly StringBuilder text = new();

    /// <summary>The help of all commands, in groups.</summary>
    internal static string OfProgram(RootCommand root, IEnumerable<(string Title, Command[] Commands)> groups, int width)
    {
        var help = new HelpText(width);
        help.Paragraph(root.Description!);
        help.Heading("hacktree COMMAND ...", "Usage: ");
        foreach ((string title, Command[] commands) in groups)
        {
            help.Section(title, commands.Select(command => (command.Name, command.Description!)));
        }

        help.Section("Options", root.Options.Select(option => (TermOf(option), MeaningOf(option))));
        help.Paragraph("`hacktree help COMMAND` explains one command. `hacktree help json` lists the fields that --json prints.");
        return help.ToString();
    }

    /// <summary>The help of one command.</summary>
    /// <param name="verb">The command.</param>
    /// <param name="name">The command with its group, such as "hacktree image create".</param>
    /// <param name="shared">The options that every command has.</param>
    /// <param name="width">The widest line.</param>
    internal static string Of(Verb verb, string name, IEnumerable<Option> shared, int width)
    {
        var help = new HelpText(width);
        help.Paragraph(verb.Description!);
        foreach (string usage in Usages(verb, name))
        {
            help.Heading(usage, "Usage: ");
        }

        help.Section("", verb.Arguments.Select(argument => (NameOf(argument), argument.Description!)));
        help.Section("Commands", verb.Subcommands.Select(command => (command.Name, command.Description!)));
        help.Section("Options", verb.Options.Where(option => !option.Hidden).Concat(shared).Select(option => (TermOf(option), MeaningOf(option))));
        if (verb.Details.Length > 0)
        {
            help.Paragraph(verb.Details.Replace('\n', ' '));
        }

        help.text.Append(verb.Examples.Count == 1 ? "Example:\n" : "Examples:\n");
        foreach (string example in verb.Examples)
        {
            help.Example(example);
        }

        return help.ToString();
    }

    public override string ToString() => text.ToString();

    /// <summary>An argument as it stands in a command line: COMMIT, or bash|zsh|fish.</summary>
    internal static string NameOf(Argument argument) => argument.HelpName ?? argument.Name;

    /// <summary>An option as it stands in a command line: "--from ROOT".</summary>
    internal static string NameOf(Option option) => option.HelpName is { } value ? $"{option.Name} {value}" : option.Name;

    /// <summary>An option with its short name: "-q, --quiet".</summary>
    internal static string TermOf(Option option)
    {
        // The short name comes first, wherever it was declared.
        string names = string.Join(", ", option.Aliases.Prepend(option.Name).OrderBy(name => name.Length));
        return option.HelpName is { } value ? $"{names} {value}" : names;
    }

    /// <summary>What an option does, and its default. That of an option which is repeatable is none.</summary>
    internal static string MeaningOf(Option option) => option.HelpName is not null && option.HasDefaultValue && option.GetDefaultValue() is not Array
        ? $"{option.Description} Default: {option.GetDefaultValue()}."
        : option.Description!;

    /// <summary>How a command is called, in one line or two.</summary>
    internal static IEnumerable<string> Usages(Verb verb, string name)
    {
        var usage = new StringBuilder(name);
        foreach (Option option in verb.Options.Where(option => option.Required))
        {
            usage.Append(' ').Append(NameOf(option));
        }

        usage.Append(" [OPTIONS]");
        foreach (Argument argument in verb.Arguments)
        {
            string more = argument.Arity.MaximumNumberOfValues > 1 ? "..." : "";
            usage.Append(argument.Arity.MinimumNumberOfValues == 0 ? $" [{NameOf(argument)}{more}]" : $" {NameOf(argument)}{more}");
        }

        yield return usage.ToString();
        if (verb.Subcommands.Count > 0)
        {
            yield return $"{name} COMMAND ...";
        }
    }

    /// <summary>Text over the whole width, and an empty line.</summary>
    private void Paragraph(string words)
    {
        Wrap(words, 0, "");
        text.Append('\n');
    }

    private void Heading(string words, string before)
    {
        text.Append(before);
        Wrap(words, before.Length, "");
        text.Append('\n');
    }

    /// <summary>Terms, and what each means beside it. A term that is too wide for the column has a line of its own.</summary>
    private void Section(string title, IEnumerable<(string Term, string Meaning)> rows)
    {
        (string Term, string Meaning)[] all = [.. rows];
        if (all.Length == 0)
        {
            return;
        }

        text.Append(title.Length > 0 ? $"{title}:\n" : "");
        int widest = Math.Min(WidestTerm, width / 3);
        int column = 4 + all.Select(row => row.Term.Length).Where(length => length <= widest).DefaultIfEmpty(widest).Max();
        foreach ((string term, string meaning) in all)
        {
            text.Append("  ").Append(term);
            if (term.Length + 4 > column)
            {
                text.Append('\n').Append(' ', column);
            }
            else
            {
                text.Append(' ', column - term.Length - 2);
            }

            Wrap(meaning, column, "");
        }

        text.Append('\n');
    }

    /// <summary>A command line. One that is too wide is continued with \, so that it still works as typed.</summary>
    private void Example(string line)
    {
        text.Append("  ");
        Wrap(line, 2, " \\");
    }

    /// <summary>Breaks text at its spaces. The cursor stands at the column; lines after the first one begin there too.</summary>
    private void Wrap(string words, int column, string continued)
    {
        int used = column;
        bool isFirst = true;
        foreach (string word in Words(words, keepQuotes: continued.Length > 0))
        {
            if (!isFirst && used + 1 + word.Length > width - continued.Length)
            {
                text.Append(continued).Append('\n').Append(' ', column + (continued.Length > 0 ? 4 : 0));
                used = column + (continued.Length > 0 ? 4 : 0);
            }
            else if (!isFirst)
            {
                text.Append(' ');
                used++;
            }

            text.Append(word);
            used += word.Length;
            isFirst = false;
        }

        text.Append('\n');
    }

    /// <summary>The words between spaces. In a command line, what stands between quotes is one word.</summary>
    private static IEnumerable<string> Words(string line, bool keepQuotes)
    {
        int start = 0;
        char open = '\0';
        for (int i = 0; i < line.Length; i++)
        {
            char c = line[i];
            if (open != '\0')
            {
                open = c == open ? '\0' : open;
            }
            else if (keepQuotes && c is '\'' or '"')
            {
                open = c;
            }
            else if (c == ' ')
            {
                if (i > start)
                {
                    yield return line[start..i];
                }

                start = i + 1;
            }
        }

        if (start < line.Length)
        {
            yield return line[start..];
        }
    }
}
