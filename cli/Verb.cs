using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace HackTree.Cli;

/// <summary>One command: its description, options and examples; <see cref="Run"/> calls the library and prints.</summary>
internal abstract class Verb : Command
{
    protected Verb(string name, string description, params string[] examples)
        : base(name, description)
    {
        Examples = examples;
        SetAction(parse => Run(new Session(parse)));
    }

    /// <summary>What the help shows last, each a command line.</summary>
    internal IReadOnlyList<string> Examples { get; }

    /// <summary>What the help says before the examples; may be empty.</summary>
    internal string Details { get; private protected set; } = "";

    /// <summary>Does it; answers the exit code.</summary>
    protected abstract int Run(Session session);

    /// <summary>Adds a rule about options that go together or do not.</summary>
    protected void AddRule(Action<CommandResult> rule) => Validators.Add(result =>
    {
        try
        {
            rule(result);
        }
        catch (InvalidOperationException)
        {
            // An option's value is missing or no number, and the parser says so by itself, after this.
        }
    });

    /// <summary>The option of every verb that reads.</summary>
    protected Option<bool> AddJson()
    {
        var json = new Option<bool>("--json") { Description = "Print JSON; JSON.md lists the fields." };
        Add(json);
        return json;
    }

    /// <summary>An option that takes a number from 0 up.</summary>
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

    /// <summary>An argument that names a commit, completed with the refs.</summary>
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
