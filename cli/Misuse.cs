using System.CommandLine;
using System.CommandLine.Parsing;

namespace HackTree.Cli;

/// <summary>
/// Says in one voice what is wrong with a command line. The parser accepts some mistakes: an option that the command does not have, an empty word.
/// The others it only finds, and their sentences are made here.
/// </summary>
internal static class Misuse
{
    // Options and arguments whose value may be empty: text, and words that are passed to another program.
    private static readonly string[] MayBeEmpty = ["TEXT", "OPTIONS", "COMMAND"];

    /// <summary>A sentence about the first mistake; null if there is none.</summary>
    internal static string? Find(ParseResult parse, IReadOnlyList<string> args)
    {
        // A line with --help may be incomplete. But a command that does not exist has no help either.
        bool isHelp = parse.Action is { ClearsParseErrors: true };
        return UnknownVerb(parse) ?? (isHelp ? null
            : UnknownOption(parse, args) ?? EmptyWord(parse) ?? WrongValue(parse) ?? WrongCount(parse) ?? BrokenRule(parse));
    }

    /// <summary>The command with its group, such as "hacktree image create".</summary>
    internal static string VerbOf(ParseResult parse) =>
        string.Join(' ', Chain(parse).Reverse().Skip(1).Select(result => result.Command.Name).Prepend("hacktree"));

    /// <summary>
    /// The parser takes an unknown option for an argument, so `checkout etc --froce` would make a root of that name.
    /// </summary>
    private static string? UnknownOption(ParseResult parse, IReadOnlyList<string> args)
    {
        var values = new HashSet<Token>(Children<OptionResult>(parse).SelectMany(option => option.Tokens), ReferenceEqualityComparer.Instance);
        IEnumerable<string> words = parse.Tokens.TakeWhile(token => token.Type != TokenType.DoubleDash)
            .Where(token => token.Type == TokenType.Argument && !values.Contains(token)).Select(token => token.Value);

        // If there is a -q and no -x, the parser makes of -qx an option and an argument x, which nobody typed.
        string? unknown = words
            .Select(word => args.Contains(word) ? word : args.FirstOrDefault(arg => arg.EndsWith(word, StringComparison.Ordinal)) ?? word)
            .FirstOrDefault(word => word.Length > 1 && word[0] == '-');
        if (unknown is null)
        {
            return null;
        }

        string name = unknown.Split('=')[0];
        IEnumerable<Option> options = Chain(parse).SelectMany(result =>
            result.Command.Options.Where(option => !option.Hidden && (option.Recursive || result == parse.CommandResult)));
        if (options.Any(option => option.Name == name || option.Aliases.Contains(name)))
        {
            return $"{name} takes no value";
        }

        string? meant = Nearest(name, options.Select(option => option.Name).Where(full => full.StartsWith("--", StringComparison.Ordinal)));
        return $"there is no option '{name}'{(meant is null ? "; a name that begins with '-' goes after '--'" : $", but there is '{meant}'")}";
    }

    private static string? UnknownVerb(ParseResult parse)
    {
        IEnumerable<string> verbs = parse.CommandResult.Command.Subcommands.Where(command => !command.Hidden).Select(command => command.Name);
        if (!verbs.Any() || parse.UnmatchedTokens is not [var word, ..] || word.StartsWith('-'))
        {
            return null;
        }

        string above = VerbOf(parse)["hacktree".Length..].TrimStart();
        string name = $"{above} {word}".TrimStart();
        string sentence = $"there is no command '{name}'";
        return ForeignWords.Find(name) is { } known ? $"{sentence}; {known}"
            : Nearest(word, verbs) is { } meant ? $"{sentence}, but there is '{$"{above} {meant}".TrimStart()}'"
            : sentence;
    }

    /// <summary>Finds an option without its value, one that was given twice, and a value that the option's own check refused.</summary>
    private static string? WrongValue(ParseResult parse)
    {
        foreach (OptionResult given in Children<OptionResult>(parse).Where(result => !result.Implicit))
        {
            if (given.Tokens.Count < given.Option.Arity.MinimumNumberOfValues)
            {
                return $"{given.Option.Name} needs a value: {HelpText.NameOf(given.Option)}";
            }

            if (given.Tokens.Count > given.Option.Arity.MaximumNumberOfValues && given.Option.Arity.MaximumNumberOfValues > 0)
            {
                return $"{given.Option.Name} was given {given.Tokens.Count} times; give it once";
            }
        }

        return parse.Errors.FirstOrDefault(
            error => error.SymbolResult is not (null or CommandResult) && error.SymbolResult.Tokens.Count > 0 && !IsTooFew(error.SymbolResult))?.Message;

        static bool IsTooFew(SymbolResult result) => result is ArgumentResult given && given.Tokens.Count < given.Argument.Arity.MinimumNumberOfValues;
    }

    /// <summary>Finds words too many, and arguments and options that are missing.</summary>
    private static string? WrongCount(ParseResult parse)
    {
        if (parse.Errors.Count == 0)
        {
            return null;
        }

        if (parse.UnmatchedTokens is [var word, ..])
        {
            return $"'{word}' is one word too many";
        }

        if (parse.CommandResult.Command is RootCommand)
        {
            return "a command is missing";
        }

        string[] missing =
        [
            .. parse.CommandResult.Command.Options
                .Where(option => option.Required && parse.GetResult(option) is null or { Tokens.Count: 0 }).Select(HelpText.NameOf),
            .. parse.CommandResult.Command.Arguments
                .Where(argument => (parse.GetResult(argument)?.Tokens.Count ?? 0) < argument.Arity.MinimumNumberOfValues).Select(HelpText.NameOf),
        ];
        return missing.Length == 0 ? null : $"{string.Join(" and ", missing)} {(missing.Length == 1 ? "is" : "are")} missing";
    }

    /// <summary>Finds options that need or exclude each other, which the command's own rules tell.</summary>
    private static string? BrokenRule(ParseResult parse) => parse.Errors.Count > 0 ? parse.Errors[0].Message : null;

    /// <summary>
    /// Finds an empty word: "$DEST" in a script, for example, if the variable is not set. As a path it would sometimes mean the current
    /// directory.
    /// </summary>
    private static string? EmptyWord(ParseResult parse)
    {
        IEnumerable<string> options = Children<OptionResult>(parse).Where(IsEmpty)
            .Select(result => NameOf(result.Option.HelpName, result.Option.Name));
        IEnumerable<string> names = options
            .Concat(Children<ArgumentResult>(parse).Where(IsEmpty).Select(result => NameOf(result.Argument.HelpName, result.Argument.Name)));
        return names.FirstOrDefault(name => name.Length > 0) is { } empty ? $"{empty} is empty; a variable may not be set" : null;

        static bool IsEmpty(SymbolResult result) => result.Tokens.Any(token => token.Value.Length == 0);

        static string NameOf(string? help, string name) => MayBeEmpty.Contains(help ?? name) ? "" : name;
    }

    /// <summary>The command, and the groups it is part of.</summary>
    private static IEnumerable<CommandResult> Chain(ParseResult parse)
    {
        for (CommandResult? result = parse.CommandResult; result is not null; result = result.Parent as CommandResult)
        {
            yield return result;
        }
    }

    private static IEnumerable<T> Children<T>(ParseResult parse) => Chain(parse).SelectMany(result => result.Children).OfType<T>();

    /// <summary>
    /// The name that begins with the word, or that one change makes of it, or two changes of a long word; null if there is none. A guess that
    /// is often wrong is worse than none.
    /// </summary>
    private static string? Nearest(string word, IEnumerable<string> names)
    {
        int length = word.TrimStart('-').Length;
        return names.Select(name => (Name: name, Changes: name.StartsWith(word, StringComparison.Ordinal) && length > 2 ? 0 : Changes(word, name)))
            .Where(candidate => candidate.Changes <= (length < 3 ? 0 : length < 7 ? 1 : 2)).OrderBy(candidate => candidate.Changes).FirstOrDefault().Name;
    }

    /// <summary>
    /// How many letters must be inserted, deleted, replaced or swapped with the next one to turn one word into the other.
    /// </summary>
    private static int Changes(string word, string name)
    {
        int[,] changes = new int[word.Length + 1, name.Length + 1];
        for (int i = 0; i <= word.Length; i++)
        {
            for (int j = 0; j <= name.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    changes[i, j] = i + j;
                    continue;
                }

                int replaced = changes[i - 1, j - 1] + (word[i - 1] == name[j - 1] ? 0 : 1);
                changes[i, j] = Math.Min(replaced, 1 + Math.Min(changes[i - 1, j], changes[i, j - 1]));
                if (i > 1 && j > 1 && word[i - 1] == name[j - 2] && word[i - 2] == name[j - 1])
                {
                    changes[i, j] = Math.Min(changes[i, j], changes[i - 2, j - 2] + 1);
                }
            }
        }

        return changes[word.Length, name.Length];
    }
}
