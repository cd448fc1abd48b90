using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using HackTree.Store;

namespace HackTree.Cli;

/// <summary>One command: its description, options and examples. <see cref="Run"/> calls the library and prints.</summary>
internal abstract class Verb : Command
{
    protected Verb(string name, string description, params string[] examples)
        : base(name, description)
    {
        Examples = examples;
        SetAction(parse => RunStoppably(new Session(parse)));
    }

    /// <summary>Command lines that the help shows at its end.</summary>
    internal IReadOnlyList<string> Examples { get; }

    /// <summary>Text that the help shows before the examples; may be empty.</summary>
    internal string Details { get; private protected set; } = "";

    /// <summary>What the command does on SIGINT, SIGTERM and SIGHUP.</summary>
    protected virtual StopWay WayToStop(Session session) => StopWay.TakeBack;

    /// <summary>Runs the command and returns the exit code. Long work looks at <see cref="Session.Stop"/>.</summary>
    protected abstract int Run(Session session);

    /// <summary>The end of the sentence "stopped; ...", where <see cref="Run"/> did not say more.</summary>
    protected virtual string Undone(Session session) => "nothing was changed";

    private int RunStoppably(Session session)
    {
        StopSignals.Handle(WayToStop(session));
        try
        {
            return Run(session);
        }
        catch (OperationCanceledException e) when (Session.Stop.IsCancellationRequested)
        {
            Failure.Say($"stopped; {(e is StoppedException told ? RemedyText.Append(told.Message, told.Remedy) : Undone(session))}");
            return StopSignals.ExitCode;
        }
    }

    /// <summary>Adds a rule about options that need or exclude each other.</summary>
    protected void AddRule(Action<CommandResult> rule) => Validators.Add(result =>
    {
        try
        {
            rule(result);
        }
        catch (InvalidOperationException)
        {
            // The value of an option is missing or is no number. The parser reports that itself, after this.
        }
    });

    /// <summary>Adds --json, which every command that reads has.</summary>
    protected Option<bool> AddJson()
    {
        Option<bool> json = Json();
        Add(json);
        return json;
    }

    /// <summary>The option --json.</summary>
    protected static Option<bool> Json() => new("--json") { Description = "Print JSON; `hacktree help json` lists the fields." };

    /// <summary>Refuses a value that is none of the choices. Shells complete them.</summary>
    protected static void AcceptOnly(Option option, params string[] choices)
    {
        option.CompletionSources.Add(choices);
        option.Validators.Add(result => RequireOneOf(result, choices));
    }

    /// <summary>Refuses an argument that is none of the choices. Shells complete them.</summary>
    protected static void AcceptOnly(Argument argument, params string[] choices)
    {
        argument.CompletionSources.Add(choices);
        argument.Validators.Add(result => RequireOneOf(result, choices));
    }

    private static void RequireOneOf(SymbolResult result, string[] choices)
    {
        if (result.Tokens.FirstOrDefault(token => !choices.Contains(token.Value)) is { } other)
        {
            result.AddError($"'{other.Value}' is not one of {string.Join(", ", choices)}");
        }
    }

    /// <summary>Adds an option whose value is a number from 0 up.</summary>
    protected Option<int?> AddNumber(string description, params ReadOnlySpan<string> names)
    {
        var option = new Option<int?>(names[0], [.. names[1..]])
        {
            Description = description,
            HelpName = "N",
            CustomParser = result =>
            {
                if (int.TryParse(result.Tokens[0].Value, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
                {
                    return number;
                }

                result.AddError($"'{result.Tokens[0].Value}' is no number from 0 up");
                return null;
            },
        };
        Add(option);
        return option;
    }

    /// <summary>Adds an argument that names a commit. Refs complete it.</summary>
    protected Argument<string> AddRevision(string name, string description)
    {
        var argument = new Argument<string>(name) { Description = description };
        argument.CompletionSources.Add(context => Completions.IsGiven(context, argument) ? [] : Completions.Refs(context));
        Add(argument);
        return argument;
    }

    /// <summary>Completes an argument with paths in a commit.</summary>
    protected static void CompletePaths(Argument<string> argument, Argument<string> revision) => argument.CompletionSources.Add(context =>
        Completions.IsGiven(context, revision) && !Completions.IsGiven(context, argument) ? Completions.Paths(context, revision) : []);
}
