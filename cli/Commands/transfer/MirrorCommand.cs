using System.CommandLine;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

internal sealed class MirrorCommand : RemoteVerb
{
    private readonly Argument<string> source = new("FROM")
    {
        Description = "The place to copy from: oci://HOST/NAME, https://HOST/PATH, file:///PATH or a path.",
    };

    private readonly Argument<string> target = new("TO") { Description = "The place to copy to: oci://HOST/NAME, file:///PATH or a path." };
    private readonly Argument<string[]> names = new("REF")
    {
        Description = "The refs, and of their commits the newest. Default: all refs, and all commits that a push left there.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private readonly Option<bool> force = new("--force", "-f") { Description = "Set refs also that are newer there." };
    private readonly Option<bool> anew = new("--anew") { Description = "Send everything, also what is there already: it may be damaged." };
    private readonly Option<bool> json = Json();

    internal MirrorCommand()
        : base(
            "mirror",
            "Copy refs and commits from one registry or directory to another, as they are.",
            "hacktree mirror oci://registry.example.com/images/debian /media/stick/debian",
            "hacktree mirror /srv/www/debian oci://registry.example.com/images/debian debian/bookworm")
    {
        Add(source);
        Add(target);
        Add(names);
        Add(force);
        Add(anew);
        AddServerOptions();
        Add(json);
        Details = "Signatures, records and deltas go along. A blob that the other place has is not sent again, and each ref is set when all is there that it "
            + "needs. Refs that only the other place has stay. No store is needed.";
    }

    protected override int Run(Session session)
    {
        using Remote from = OpenPlace(session, session.Get(source)), to = OpenPlace(session, session.Get(target));
        to.SendsAll = session.Get(anew);
        var mirror = new Mirror(from, to) { Force = session.Get(force) };
        string[] wanted = session.Get(names);
        IReadOnlyList<MirroredRef> done = wanted.Length > 0 ? [.. wanted.Select(mirror.Run)] : mirror.RunAll();
        if (session.Get(json))
        {
            JsonText.Write(writer =>
            {
                writer.WriteStartObject();
                writer.WriteStartArray("refs");
                foreach (MirroredRef each in done)
                {
                    writer.WriteStartObject();
                    writer.WriteString("ref", each.Ref);
                    writer.WriteDigest("commit", each.Commit);
                    writer.WriteBoolean("isNew", each.IsNew);
                    writer.WriteEndObject();
                }

                writer.WriteEndArray();
                writer.WriteNumber("blobs", mirror.Blobs);
                writer.WriteNumber("bytes", from.Bytes + to.Bytes);
                writer.WriteNumber("requests", from.Requests + to.Requests);
                writer.WriteEndObject();
            });
            return ExitCode.Done;
        }

        foreach (MirroredRef each in done)
        {
            session.Note($"{each.Ref} is {CommitText.Short(each.Commit)} there {(each.IsNew ? "now" : "already")}");
        }

        session.Note($"sent {HumanText.Count(mirror.Blobs, "blob")}");
        return ExitCode.Done;
    }

    protected override string Undone(Session session) => "refs that were not done are what they were; run it again";

    /// <summary>Opens a place. A store is looked at only for the name of a remote.</summary>
    private Remote OpenPlace(Session session, string text)
    {
        if (RemotePlace.IsPlace(text))
        {
            return Open(session, RemotePlace.Parse(text));
        }

        if (PathStatus.IsDirectory(text))
        {
            throw new UsageException($"'{text}' would be the name of a remote; write ./{text} for the directory");
        }

        using ObjectStore store = session.OpenStore();
        return Open(session, store, text);
    }
}
