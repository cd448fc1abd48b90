using System.CommandLine;
using System.Globalization;
using System.Text;

namespace HackTree.Cli;

/// <summary>A manual page in the macros of man(7). Its text is that of the help: <see cref="HelpText"/>.</summary>
internal sealed class ManPage
{
    private readonly StringBuilder text = new();

    private ManPage(string name, string purpose, DateTime date)
    {
        text.Append(CultureInfo.InvariantCulture, $".TH {Escape(name.ToUpperInvariant())} 1 {date:yyyy-MM-dd}");
        text.Append(CultureInfo.InvariantCulture, $" \"hacktree {Escape(VersionCommand.Number)}\" \"HackTree\"\n");
        Section("NAME");
        text.Append(Escape(name)).Append(@" \- ").Append(Escape(purpose.TrimEnd('.'))).Append('\n');
    }

    /// <summary>The name of a command's page: hacktree-image-create.</summary>
    internal static string NameOf(string command) => command.Replace(' ', '-');

    /// <summary>The page of the program, with all commands in groups.</summary>
    internal static string OfProgram(RootCommand root, IEnumerable<(string Title, Command[] Commands)> groups, DateTime date)
    {
        (string Title, Command[] Commands)[] all = [.. groups];
        var page = new ManPage("hacktree", "a store of operating-system trees, and roots of hardlinks", date);
        page.Section("SYNOPSIS");
        page.Synopsis("hacktree COMMAND ...");
        page.Section("DESCRIPTION");
        page.Line(root.Description!);
        page.Section("COMMANDS");
        page.Line("Each command has a page of its own, such as hacktree-commit(1).");
        foreach ((string title, Command[] commands) in all)
        {
            page.text.Append(".SS ").Append(Escape(title)).Append('\n');
            page.Terms(commands.Select(command => (command.Name, command.Description!)));
        }

        page.Section("OPTIONS");
        page.Terms(root.Options.Select(option => (HelpText.TermOf(option), HelpText.MeaningOf(option))));
        page.Section("EXIT STATUS");
        page.Terms(
        [
            ("0", "The command did what it says."),
            ("1", "It failed. One line on standard error says why."),
            ("2", "The command line makes no sense."),
            ("3", "fsck found damage, or diff found differences."),
        ]);
        page.SeeAlso(all.SelectMany(group => group.Commands).Select(command => "hacktree-" + command.Name));
        return page.text.ToString();
    }

    /// <summary>The page of one command.</summary>
    /// <param name="verb">The command.</param>
    /// <param name="name">The command with its group, such as "hacktree image create".</param>
    /// <param name="shared">The options that every command has.</param>
    /// <param name="date">The date of the page.</param>
    internal static string Of(Verb verb, string name, IEnumerable<Option> shared, DateTime date)
    {
        var page = new ManPage(NameOf(name), verb.Description!, date);
        page.Section("SYNOPSIS");
        page.Synopsis([.. HelpText.Usages(verb, name)]);
        page.Section("DESCRIPTION");
        page.Line(verb.Description!);
        page.Paragraph(verb.Details.Replace('\n', ' '));
        page.Terms(verb.Arguments.Select(argument => (HelpText.NameOf(argument), argument.Description!)));
        if (verb.Subcommands.Count > 0)
        {
            page.Section("COMMANDS");
            page.Terms(verb.Subcommands.Select(command => (command.Name, command.Description!)));
        }

        page.Section("OPTIONS");
        page.Terms(verb.Options.Where(option => !option.Hidden).Concat(shared).Select(option => (HelpText.TermOf(option), HelpText.MeaningOf(option))));
        page.Section("EXAMPLES");
        page.Examples(verb.Examples);
        string above = NameOf(name[..name.LastIndexOf(' ')]);
        page.SeeAlso([above, .. verb.Subcommands.Select(command => $"{NameOf(name)}-{command.Name}")]);
        return page.text.ToString();
    }

    /// <summary>
    /// Text as roff takes it. Without this, '-' and quotes would come out as signs of typography, which no shell takes when they are copied, and
    /// a line that begins with '.' or ' would be a request.
    /// </summary>
    internal static string Escape(string words)
    {
        var escaped = new StringBuilder(words.Length);
        bool isLineStart = true;
        foreach (Rune rune in words.EnumerateRunes())
        {
            escaped.Append(isLineStart && rune.Value == '.' ? @"\&" : "").Append(rune.Value switch
            {
                '\\' => @"\e",
                '-' => @"\-",
                '\'' => @"\(aq",
                '"' => @"\(dq",
                '`' => @"\(ga",
                '^' => @"\(ha",
                '~' => @"\(ti",
                > 126 => $"\\[u{rune.Value:X4}]",
                _ => rune.ToString(),
            });
            isLineStart = rune.Value == '\n';
        }

        return escaped.ToString();
    }

    private void Section(string title) => text.Append(".SH ").Append(title).Append('\n');

    private void Line(string words) => text.Append(Escape(words)).Append('\n');

    private void Paragraph(string words)
    {
        if (words.Length > 0)
        {
            text.Append(".PP\n");
            Line(words);
        }
    }

    private void Synopsis(params ReadOnlySpan<string> usages)
    {
        for (int i = 0; i < usages.Length; i++)
        {
            text.Append(i > 0 ? ".br\n" : "").Append(@"\fB").Append(Escape(usages[i])).Append("\\fR\n");
        }
    }

    private void Terms(IEnumerable<(string Term, string Meaning)> rows)
    {
        foreach ((string term, string meaning) in rows)
        {
            text.Append(".TP\n").Append(@"\fB").Append(Escape(term)).Append("\\fR\n");
            Line(meaning);
        }
    }

    /// <summary>Command lines, as they are typed.</summary>
    private void Examples(IEnumerable<string> lines)
    {
        text.Append(".nf\n");
        foreach (string line in lines)
        {
            Line(line);
        }

        text.Append(".fi\n");
    }

    private void SeeAlso(IEnumerable<string> pages)
    {
        Section("SEE ALSO");
        text.AppendJoin(",\n", pages.Select(page => $@"\fB{Escape(page)}\fR(1)")).Append('\n');
    }
}
