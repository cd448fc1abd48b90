using System.CommandLine;
using System.CommandLine.Completions;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;

namespace HackTree.Cli;

/// <summary>All commands, the options that they share, their help, and the error for a wrong command line.</summary>
internal static class CommandTree
{
    internal static readonly Option<string?> Store = new("--store")
    {
        Description = "The store. Default: $HACKTREE_STORE, or the first of ./, ./objects, /objects and /sysroot/objects.",
        HelpName = "DIR",
        Recursive = true,
    };

    internal static readonly Option<bool> Quiet = new("--quiet", "-q")
    {
        Description = "Print only errors on standard error.",
        Recursive = true,
    };

    /// <summary>A path may begin with @, so the parser must not read such an argument as the name of a file of arguments.</summary>
    internal static readonly ParserConfiguration Configuration = new() { EnablePosixBundling = true, ResponseFileTokenReplacer = null };

    internal static ParseResult Parse(IReadOnlyList<string> args) => Make().Parse(args, Configuration);

    /// <summary>Runs one command line and returns the exit code.</summary>
    internal static int Run(IReadOnlyList<string> args)
    {
        ParseResult parse = Parse(args);
        string? misuse = Misuse.Find(parse, args);
        return parse.Errors.Count > 0 || misuse is not null ? ReportUsage(parse, misuse) : Invoke(parse);
    }

    /// <summary>The names of all commands.</summary>
    internal static IEnumerable<CompletionItem> Verbs() => Make().Subcommands.Select(command => new CompletionItem(command.Name));

    private static int Invoke(ParseResult parse)
    {
        using var output = new StreamWriter(StandardOutput.Instance, leaveOpen: true);
        var configuration = new InvocationConfiguration
        {
            EnableDefaultExceptionHandler = false,
            ProcessTerminationTimeout = null,
            Output = output,
        };
        return parse.Invoke(configuration);
    }

    /// <summary>Prints one sentence about the command line, and where to read more.</summary>
    private static int ReportUsage(ParseResult parse, string? misuse)
    {
        string sentence = parse.Tokens.Count == 0 ? "a command is missing" : misuse ?? FirstError(parse);
        Failure.Say($"{sentence}; see `{Misuse.VerbOf(parse)} --help`");
        return ExitCode.Usage;
    }

    private static string FirstError(ParseResult parse)
    {
        // An error about one option explains more than an error about the whole command.
        string message = parse.Errors.MinBy(error => error.SymbolResult is CommandResult)!.Message;
        string line = string.Join(' ', message.Split((char[])['\n', '\t', ' '], StringSplitOptions.RemoveEmptyEntries)).TrimEnd('.');
        return char.ToLowerInvariant(line[0]) + line[1..];
    }

    private static RootCommand Make()
    {
        var root = new RootCommand(
            "Keeps many versions of operating-system trees in one store, each distinct file once, and turns any of them into a root by hardlinks.")
        {
            Store,
            Quiet,
            new InitCommand(),
            new CommitCommand(),
            new CheckoutCommand(),
            new RefsCommand(),
            new LogCommand(),
            new ShowCommand(),
            new LsCommand(),
            new CatCommand(),
            new DiffCommand(),
            new ExportCommand(),
            new RootsCommand(),
            new GcCommand(),
            new FsckCommand(),
            new DuCommand(),
            new HashCommand(),
            new ImageCommand(),
            new InitrdCommand(),
            new BenchCommand(),
            new HelpCommand(),
            new VersionCommand(),
            new CompletionCommand(),
        };

        // The library's own help option also answers to "/h" and "/?", which are paths for this program.
        _ = root.Options.Remove(root.Options.First(option => option is HelpOption));
        var help = new HelpOption("--help", "-h") { Description = "Show how a command is used." };
        help.Action = new HelpWithExamples((HelpAction)help.Action!);
        root.Add(help);
        Option version = root.Options.First(option => option is VersionOption);
        version.Description = "Print the version.";
        version.Action = new PrintVersion();
        return root;
    }

    private sealed class HelpWithExamples(HelpAction help) : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parse)
        {
            int code = help.Invoke(parse);
            if (parse.CommandResult.Command is Verb verb)
            {
                if (verb.Details.Length > 0)
                {
                    parse.InvocationConfiguration.Output.WriteLine($"{verb.Details}\n");
                }

                parse.InvocationConfiguration.Output.WriteLine($"{(verb.Examples.Count == 1 ? "Example" : "Examples")}:");
                foreach (string example in verb.Examples)
                {
                    parse.InvocationConfiguration.Output.WriteLine($"  {example}");
                }
            }

            return code;
        }
    }

    private sealed class PrintVersion : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parse)
        {
            parse.InvocationConfiguration.Output.WriteLine(VersionCommand.Text);
            return ExitCode.Done;
        }
    }
}
