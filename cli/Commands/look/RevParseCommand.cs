using System.CommandLine;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class RevParseCommand : Verb
{
    private readonly Argument<string[]> revisions = new("COMMIT")
    {
        Description = "A commit: a ref, REF^, REF~3, or an id or its beginning. May be repeated.",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<bool> json;

    internal RevParseCommand()
        : base("rev-parse", "Print the ids of commits.", "hacktree rev-parse debian/bookworm~2")
    {
        revisions.CompletionSources.Add(Completions.Refs);
        Add(revisions);
        json = AddJson();
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();

        // Nothing is printed if one of them is wrong.
        (string Revision, Model.Digest Commit)[] found = [.. session.Get(revisions).Select(text => (text, Revision.Resolve(store, text)))];
        if (session.Get(json))
        {
            JsonText.Write(writer =>
            {
                writer.WriteStartArray();
                foreach ((string revision, Model.Digest commit) in found)
                {
                    writer.WriteStartObject();
                    writer.WriteString("revision", revision);
                    writer.WriteDigest("commit", commit);
                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
            });
            return ExitCode.Done;
        }

        foreach ((_, Model.Digest commit) in found)
        {
            Session.Output.WriteLine(commit.ToString());
        }

        return ExitCode.Done;
    }
}
