using System.CommandLine;
using System.Globalization;
using HackTree.Model;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

internal sealed class ShowCommand : Verb
{
    private readonly Argument<string> revision;
    private readonly Option<string?> meta = new("--meta") { Description = "Print only the value of this annotation.", HelpName = "KEY" };
    private readonly Option<bool> json;

    internal ShowCommand()
        : base("show", "Print the metadata and message of a commit.", "hacktree show debian/bookworm^", "hacktree show --meta version debian/bookworm")
    {
        revision = AddRevision("COMMIT", "The commit: a ref, REF^, REF~3, or an id or its beginning.");
        Add(meta);
        json = AddJson();
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        Digest digest = Revision.Resolve(store, session.Get(revision));
        Commit commit = store.Packs.ReadCommit(digest);
        if (session.Get(meta) is { } wanted)
        {
            return PrintValue(session, wanted, commit);
        }

        if (session.Get(json))
        {
            JsonText.Write(writer => CommitText.Write(writer, store, digest, commit));
            return ExitCode.Done;
        }

        StandardOutput output = Session.Output;
        output.WriteLine($"commit   {digest}");
        if (CommitText.RefsByCommit(store).TryGetValue(digest, out string? refs))
        {
            output.WriteLine($"refs     {refs}");
        }

        foreach (Digest parent in commit.Parents)
        {
            output.WriteLine($"parent   {parent}");
        }

        output.WriteLine($"tree     {commit.Tree}");
        output.WriteLine($"time     {HumanText.Date(commit.Time)}");
        output.WriteLine($"files    {HumanText.Count(commit.Files)}");
        string bytes = commit.ContentBytes.ToString("N0", CultureInfo.InvariantCulture);
        output.WriteLine($"content  {HumanText.Bytes(commit.ContentBytes)} ({bytes} bytes)");
        foreach (SshSignature signature in CommitSignatures.FindFitting(store, digest, commit))
        {
            output.WriteLine($"signed   {SignatureText.Key(signature)}");
        }

        foreach ((string key, string value) in commit.Annotations)
        {
            output.WriteLine($"meta     {key}={CommitText.Line(value)}");
        }

        WriteText(output, commit.Subject);
        WriteText(output, commit.Body);
        return ExitCode.Done;
    }

    private int PrintValue(Session session, string key, Commit commit)
    {
        if (!commit.Annotations.TryGetValue(key, out string? value))
        {
            string keys = commit.Annotations.IsEmpty ? "none" : string.Join(", ", commit.Annotations.Keys);
            throw new StoreException($"{session.Get(revision)} has no annotation '{key}'; it has {keys}");
        }

        if (session.Get(json))
        {
            JsonText.Write(writer => writer.WriteStringValue(value));
        }
        else
        {
            // A script gets the value as it is.
            Session.Output.WriteLine(StandardOutput.IsTerminal ? CommitText.Line(value) : value);
        }

        return ExitCode.Done;
    }

    private static void WriteText(StandardOutput output, string text)
    {
        if (text.Length > 0)
        {
            output.WriteLine("");
            foreach (string line in text.TrimEnd('\n').Split('\n'))
            {
                output.WriteLine($"    {CommitText.Line(line)}".TrimEnd());
            }
        }
    }
}
