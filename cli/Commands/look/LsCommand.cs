using System.CommandLine;
using System.Text.Json;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class LsCommand : Verb
{
    private readonly Argument<string> revision;
    private readonly Argument<string> place = new("PATH") { Description = "The directory or file. Default: the top.", DefaultValueFactory = _ => "" };
    private readonly Option<bool> isLong = new("-l", "--long") { Description = "Show mode, owner, size and time too." };
    private readonly Option<bool> isNumeric = new("-n", "--numeric") { Description = "As -l, with owners and groups as numbers." };
    private readonly Option<bool> isRecursive = new("-R", "--recursive") { Description = "List everything below too." };
    private readonly Option<bool> hasDigest = new("--digest", "-C") { Description = "Show the digest of each file's content and each directory's tree." };
    private readonly Option<bool> json;

    internal LsCommand()
        : base("ls", "List the files in a commit.", "hacktree ls -l debian/bookworm etc", "hacktree ls -R debian/bookworm usr/share/doc")
    {
        revision = AddRevision("COMMIT", "The commit: a ref, REF^, REF~3, or an id or its beginning.");
        Add(place);
        CompletePaths(place, revision);
        Add(isLong);
        Add(isNumeric);
        Add(isRecursive);
        Add(hasDigest);
        json = AddJson();
        Details = "-l names owners and groups by the commit's own etc/passwd and etc/group. Bytes of a name that are not UTF-8 "
            + "appear as \\ooo, and so do characters that a terminal would not show.";
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        byte[] path = Session.TreePath(session.Get(place));
        Commit commit = store.Packs.ReadCommit(Revision.Resolve(store, session.Get(revision)));
        if (!TreeWalk.TryFind(store.Packs, commit, path, out TreeEntry top))
        {
            string commitName = session.Get(revision);
            throw new StoreException($"'{session.Get(place)}' is not in {commitName}; `hacktree ls {commitName}` shows what is");
        }

        bool isDirectory = top.IsDirectory, hasColumns = session.Get(isLong) || session.Get(isNumeric);
        OwnerNames? owners = session.Get(isLong) && !session.Get(isNumeric) && !session.Get(json) ? new OwnerNames(store, commit) : null;
        if (session.Get(json))
        {
            JsonText.Write(WriteAll);
        }
        else
        {
            Visit(Print);
        }

        return ExitCode.Done;

        void Visit(EntryVisitor visitor)
        {
            if (isDirectory)
            {
                TreeWalk.TryFind(store.Packs, commit, path, out TreeEntry directory);
                TreeWalk.Visit(store.Packs, directory.Digest, (PathBuffer below, in TreeEntry entry) =>
                {
                    visitor(below.Bytes, entry);
                    return session.Get(isRecursive);
                });
            }
            else
            {
                TreeWalk.TryFind(store.Packs, commit, path, out TreeEntry file);
                visitor(file.Name, file);
            }
        }

        void Print(ReadOnlySpan<byte> below, in TreeEntry entry)
        {
            bool hasTarget = hasColumns && entry.Kind == EntryKind.Symlink;
            Session.Output.Write(hasColumns ? EntryText.Long(entry, owners) : "");
            Session.Output.Write(session.Get(hasDigest) ? EntryText.Digest(entry) : "");
            Session.Output.Write(ByteText.Quote(below));
            Session.Output.WriteLine(hasTarget ? $" -> {ByteText.Quote(entry.Target)}" : "");
        }

        void WriteAll(Utf8JsonWriter writer)
        {
            var full = new PathBuffer();
            writer.WriteStartArray();
            Visit((ReadOnlySpan<byte> below, in TreeEntry entry) =>
            {
                full.Cut(0);
                if (path.Length > 0)
                {
                    full.Push(path);
                }

                if (isDirectory)
                {
                    full.Push(below);
                }

                EntryText.Write(writer, full.Bytes, entry);
            });
            writer.WriteEndArray();
        }
    }

    private delegate void EntryVisitor(ReadOnlySpan<byte> path, in TreeEntry entry);
}
