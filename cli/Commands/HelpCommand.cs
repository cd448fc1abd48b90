using System.CommandLine;

namespace HackTree.Cli;

internal sealed class HelpCommand : Verb
{
    private readonly Argument<string[]> words = new("COMMAND") { Description = "The command. Default: list all.", Arity = ArgumentArity.ZeroOrMore };

    internal HelpCommand()
        : base("help", "Show how a command is used.", "hacktree help checkout", "hacktree help image create", "hacktree help json")
    {
        Details = "`hacktree help json` lists the fields that --json prints.";
        words.CompletionSources.Add(context => Completions.IsGiven(context, words) ? [] : CommandTree.Verbs());
        Add(words);
    }

    protected override int Run(Session session)
    {
        if (session.Get(words) is not ["json"])
        {
            return CommandTree.Run([.. session.Get(words), "--help"]);
        }

        using Stream fields = typeof(HelpCommand).Assembly.GetManifestResourceStream("JSON.md")!;
        fields.CopyTo(Session.Output);
        return ExitCode.Done;
    }
}
