using System.CommandLine;

namespace HackTree.Cli;

internal sealed class HelpCommand : Verb
{
    private readonly Argument<string[]> words = new("VERB") { Description = "The command. Default: list all.", Arity = ArgumentArity.ZeroOrMore };

    internal HelpCommand()
        : base("help", "Show how a command is used.", "hacktree help checkout", "hacktree help image create")
    {
        words.CompletionSources.Add(context => Completions.IsGiven(context, words) ? [] : CommandTree.Verbs());
        Add(words);
    }

    protected override int Run(Session session) => CommandTree.Run([.. session.Get(words), "--help"]);
}
