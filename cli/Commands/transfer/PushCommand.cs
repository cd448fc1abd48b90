using System.CommandLine;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

internal sealed class PushCommand : RemoteVerb
{
    private readonly Argument<string[]> words = new("REF... REMOTE")
    {
        Description = "The refs, then the remote: its name, oci://HOST/NAME, file:///PATH or a path.",
        Arity = new ArgumentArity(2, 1000),
    };

    private readonly Option<bool> force = new("--force", "-f") { Description = "Set the remote's ref also where its commit is no ancestor of the new one." };
    private readonly Option<bool> anew = new("--anew") { Description = "Send everything, also what the remote has already." };
    private readonly Option<bool> json = Json();

    internal PushCommand()
        : base(
            "push",
            "Send refs and what their commits need to a registry or a directory.",
            "hacktree push debian/bookworm oci://registry.example.com/images/debian",
            "hacktree push debian/bookworm debian/trixie /srv/www/debian")
    {
        Details = "What the remote has already is not sent again. In a directory, commits are an OCI image layout, which any web server can serve. "
            + "The ref on the remote is set last, so a push that was stopped can be run again.";
        words.CompletionSources.Add(Completions.Refs);
        Add(words);
        Add(force);
        Add(anew);
        AddServerOptions();
        Add(json);
    }

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        store.RequireReadable();
        string[] given = session.Get(words);
        using Remote remote = Open(session, store, given[^1]);
        var results = new List<PushResult>();
        var progress = new Progress();
        using (session.Show("pushing", progress))
        {
            foreach (string name in given[..^1])
            {
                results.Add(Push.Run(store, remote, new PushRequest(name) { Force = session.Get(force), Anew = session.Get(anew), Progress = progress }));
            }
        }

        Print(session, remote, results);
        return ExitCode.Done;
    }

    protected override string Undone(Session session) => "the remote's refs are what they were";

    private void Print(Session session, Remote remote, List<PushResult> results)
    {
        if (session.Get(json))
        {
            JsonText.Write(writer =>
            {
                writer.WriteStartObject();
                writer.WriteStartArray("refs");
                foreach (PushResult result in results)
                {
                    writer.WriteStartObject();
                    writer.WriteString("ref", result.Ref);
                    writer.WriteDigest("commit", result.Commit);
                    writer.WriteDigest("before", result.Before);
                    writer.WriteNumber("blobs", result.Blobs);
                    writer.WriteNumber("rawBytes", result.RawBytes);
                    writer.WriteBoolean("newSignatures", result.HasNewSignatures);
                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
                TransferText.WriteTotals(writer, remote);
                writer.WriteEndObject();
            });
            return;
        }

        foreach (PushResult result in results)
        {
            string name = $"{result.Ref} is {CommitText.Short(result.Commit)} there";
            session.Note(result.HasNewSignatures ? $"{name} already, and its signatures are new"
                : result.IsCurrent ? $"{name} already"
                : $"{name} now: {HumanText.Count(result.Blobs)} new blobs of {HumanText.Bytes(result.RawBytes)}");
        }

        session.Note(TransferText.Totals("sent", remote));
    }
}
