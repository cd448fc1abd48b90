using System.CommandLine;
using HackTree.Model;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

internal sealed class PushCommand : RemoteVerb
{
    private const string Sign = "--sign";

    private readonly Argument<string[]> words = new("REF... REMOTE")
    {
        Description = "The refs, then the remote: its name, oci://HOST/NAME, ssh://HOST/STORE, file:///PATH or a path.",
        Arity = new ArgumentArity(2, 1000),
    };

    private readonly Option<bool> force = new("--force", "-f") { Description = "Set the remote's ref also where its commit is no ancestor of the new one." };
    private readonly Option<bool> anew = new("--anew") { Description = "Send everything, also what the remote has already." };
    private readonly Option<int?> deltas;
    private readonly Option<string?> sign = new(Sign)
    {
        Description = "Sign with this key where the refs stand, so that nobody can serve an older commit for long.",
        HelpName = "FILE",
    };

    private readonly Option<int?> days;
    private readonly Option<int?> cohort;
    private readonly Option<string?> notBefore = new("--not-before")
    {
        Description = "With --sign: from when on machines are to upgrade, such as 2030-01-31T04:00:00Z.",
        HelpName = "TIME",
    };
    private readonly Option<bool> json = Json();

    internal PushCommand()
        : base(
            "push",
            "Send refs and what their commits need to a registry, a directory or another store.",
            "hacktree push debian/bookworm oci://registry.example.com/images/debian",
            "hacktree push debian/bookworm debian/trixie /srv/www/debian")
    {
        Details = "What the remote has already is not sent again. In a directory, commits are an OCI image layout, which any web server can serve; "
            + "a directory that is a store, or has one as objects, gets them as a pull would. "
            + "The ref on the remote is set last, so a push that was stopped can be run again.";
        words.CompletionSources.Add(Completions.Refs);
        Add(words);
        Add(force);
        Add(anew);
        deltas = AddNumber("From how many commits before to send deltas too, where these save something. Default: 3.", "--deltas");
        Add(sign);
        days = AddNumber("With --sign: for how many days that is valid. Default: 30.", "--expires");
        cohort = AddNumber("With --sign: how many of 100 machines are to upgrade by now. Default: 100.", "--cohort");
        Add(notBefore);
        AddServerOptions();
        Add(json);
        AddRule(result =>
        {
            bool needsKey = result.GetValue(days) is not null || result.GetValue(cohort) is not null || result.GetValue(notBefore) is not null;
            if (needsKey && result.GetValue(sign) is null)
            {
                result.AddError($"--expires, --cohort and --not-before need {Sign}");
            }

            if (result.GetValue(cohort) > 100)
            {
                result.AddError("--cohort takes a number from 0 to 100");
            }
        });
    }

    protected override int Run(Session session)
    {
        RecordRequest? record = Record(session);
        using ObjectStore store = record is null ? session.OpenStore() : session.OpenStoreToWrite();
        store.RequireReadable();
        string[] given = session.Get(words);
        using PushTarget target = OpenTarget(session, store, given[^1]);
        var results = new List<PushResult>();
        var progress = new Progress();
        using (session.Show("pushing", progress))
        {
            foreach (string name in given[..^1])
            {
                var request = new PushRequest(name) { Force = session.Get(force), Anew = session.Get(anew), Record = record, Progress = progress };
                results.Add(target.Push(store, request with { Deltas = session.Get(deltas) ?? request.Deltas }));
            }
        }

        Print(session, target, results);
        return ExitCode.Done;
    }

    protected override string Undone(Session session) => "the remote's refs are what they were";

    private RecordRequest? Record(Session session) => session.Get(sign) is not { } file ? null : new RecordRequest(SigningKey.Open(file))
    {
        Days = session.Get(days) ?? 30,
        Cohort = session.Get(cohort) ?? 100,
        NotBefore = session.Get(notBefore) is { } time ? Math.Max(0, TimeText.Time(notBefore.Name, time)) : 0,
    };

    private void Print(Session session, PushTarget remote, List<PushResult> results)
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
                    writer.WriteNumber("deltas", result.Deltas);
                    writer.WriteBoolean("newSignatures", result.HasNewSignatures);
                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
                writer.WriteBytes("remote", ByteText.FromArgument(remote.Subject));
                writer.WriteNumber("bytes", remote.Bytes);
                writer.WriteNumber("requests", remote.Requests);
                writer.WriteEndObject();
            });
            return;
        }

        foreach (PushResult result in results)
        {
            string name = $"{result.Ref} is {CommitText.Short(result.Commit)} there";
            session.Note(result.HasNewSignatures ? $"{name} already, and its signatures are new"
                : result.IsCurrent ? $"{name} already"
                : $"{name} now: {HumanText.Count(result.Blobs)} new blobs of {HumanText.Bytes(result.RawBytes)}"
                    + (result.Deltas > 0 ? $", {HumanText.Count(result.Deltas, "delta")}" : ""));
        }

        session.Note(remote.Requests == 0 ? null : $"sent {HumanText.Bytes(remote.Bytes)} in {HumanText.Count(remote.Requests, "request")}");
    }
}
