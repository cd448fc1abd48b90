using System.CommandLine;
using System.CommandLine.Completions;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using HackTree.Linux;

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
        args = JsonBehind(args);
        ParseResult parse = Parse(args);
        if (Misuse.Find(parse, args) is not { } misuse)
        {
            return Invoke(parse);
        }

        Failure.Say($"{misuse}; see `{Misuse.VerbOf(parse)} --help`");
        return ExitCode.Usage;
    }

    /// <summary>The names of all commands.</summary>
    internal static IEnumerable<CompletionItem> Verbs() =>
        Make().Subcommands.Where(command => !command.Hidden).Select(command => new CompletionItem(command.Name));

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

    /// <summary>
    /// Puts a --json that stands before the command behind it. Only commands that print JSON have the option, so the parser knows it only there.
    /// </summary>
    private static IReadOnlyList<string> JsonBehind(IReadOnlyList<string> args)
    {
        int verb = 0;
        while (verb < args.Count && args[verb].StartsWith('-') && args[verb] != "--")
        {
            verb += args[verb] == Store.Name ? 2 : 1;
        }

        const string json = "--json";
        List<string> before = [.. args.Take(verb)];
        if (!before.Remove(json))
        {
            return args;
        }

        if (verb >= args.Count)
        {
            return before;
        }

        string[] command = [.. args.Skip(verb).TakeWhile(arg => arg != "--")];
        return [.. before, .. command, json, .. args.Skip(verb + command.Length)];
    }

    private static RootCommand Make()
    {
        var root = new RootCommand(
            "Keeps many versions of operating-system trees in one store, each distinct file once, and turns any of them into a root by hardlinks.")
        {
            Store,
            Quiet,
        };
        (string Title, Command[] Commands)[] groups =
        [
            ("Store", [new InitCommand(), new CommitCommand(), new BuildCommand(), new CheckoutCommand(), new ExportCommand(), new RefsCommand()]),
            (
                "Look",
                [
                    new LogCommand(), new ShowCommand(), new RevParseCommand(), new LsCommand(), new CatCommand(), new DiffCommand(),
                    new HashCommand(), new ImageDigestCommand(),
                ]),
            ("Roots", [new RootsCommand(), new MountCommand(), new UmountCommand()]),
            ("Machine",
            [
                new DeployCommand(), new UpgradeCommand(), new StatusCommand(), new GoodCommand(), new DefaultCommand(), new RollbackCommand(),
                new BisectCommand(), new KargsCommand(), new UnlockCommand(),
            ]),
            (
                "Other machines",
                [
                    new PushCommand(),
                    new PullCommand(),
                    new ServeCommand(),
                    new MirrorCommand(),
                    new CloneCommand(),
                    new RemoteCommand(),
                    new DeltaCommand(),
                    new SignCommand(),
                    new VerifyCommand(),
                ]),
            ("Upkeep", [new GcCommand(), new FsckCommand(), new DuCommand()]),
            ("Booting", [new ImageCommand(), new InitrdCommand(), new EtcCommand()]),
            ("Other", [new HelpCommand(), new VersionCommand(), new CompletionCommand(), new BenchCommand()]),
        ];
        foreach (Command command in groups.SelectMany(group => group.Commands))
        {
            root.Add(command);
        }

        // The library's own help option also answers to "/h" and "/?", which are paths for this program.
        _ = root.Options.Remove(root.Options.First(option => option is HelpOption));
        var help = new HelpOption("--help", "-h") { Description = "Show how a command is used." };
        help.Action = new PrintHelp(root, groups);
        Option version = root.Options.First(option => option is VersionOption);
        _ = root.Options.Remove(version);
        root.Add(version);
        root.Add(help);
        version.Aliases.Add("-V");
        version.Description = "Print the version.";
        version.Action = new PrintVersion();
        root.Add(new ManPagesCommand(root, groups));
        return root;
    }

    private sealed class PrintHelp(RootCommand root, (string Title, Command[] Commands)[] groups) : SynchronousCommandLineAction
    {
        private const int WidthOfPipe = 80;
        private const int NarrowestWidth = 40;

        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parse)
        {
            int width = StandardOutput.IsTerminal ? Math.Max(Sys.TerminalWidth(1), NarrowestWidth) : WidthOfPipe;
            IEnumerable<Option> shared = root.Options.Where(option => option.Recursive);
            parse.InvocationConfiguration.Output.Write(parse.CommandResult.Command is Verb verb
                ? HelpText.Of(verb, Misuse.VerbOf(parse), shared, width)
                : HelpText.OfProgram(root, groups, width));
            return ExitCode.Done;
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
