using System.CommandLine;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class CatCommand : Verb
{
    private readonly Argument<string> revision;
    private readonly Argument<string> place = new("PATH")
    {
        Description = "The file in the commit. Symbolic links are followed inside the commit.",
    };


    internal CatCommand()
        : base("cat", "Write a file's content to standard output.", "hacktree cat debian/bookworm etc/os-release")
    {
        revision = AddRevision("COMMIT", "The commit: a ref, REF^, REF~3, or an id or its beginning.");
        Add(place);
        CompletePaths(place, revision);
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        store.RequireReadable();
        Digest digest = Revision.Resolve(store, session.Get(revision));
        Commit commit = store.Packs.ReadCommit(digest);
        byte[] path = Session.TreePath(session.Get(place));
        if (!TreeWalk.TryFollow(store.Packs, commit, path, out TreeEntry entry))
        {
            string missing = TreeWalk.TryFind(store.Packs, commit, path, out TreeEntry link)
                ? $"is a symlink to {ByteText.Quote(link.Target)}, which "
                : "";
            string commitName = session.Get(revision);
            throw new StoreException($"'{session.Get(place)}' {missing}is not in {commitName}; `hacktree ls {commitName}` shows what is");
        }

        if (entry.Kind != EntryKind.Regular)
        {
            throw new StoreException($"'{session.Get(place)}' is no file but a {EntryText.TypeOf(entry.Kind)}; give a file");
        }

        store.Blobs.Read(entry, new CommitFile(digest, () => ByteText.Quote(path)), Session.Output.Write);
        return ExitCode.Done;
    }
}
