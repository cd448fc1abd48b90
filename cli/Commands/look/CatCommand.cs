using System.CommandLine;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

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
        Commit commit = store.Packs.ReadCommit(Revision.Resolve(store, session.Get(revision)));
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

        ObjectName name = store.Blobs.NameOf(entry);
        using SafeFileHandle file = store.Blobs.Open(name);
        byte[] buffer = GC.AllocateUninitializedArray<byte>(256 * 1024);
        for (long offset = 0; offset < entry.Size;)
        {
            int wanted = (int)Math.Min(buffer.Length, entry.Size - offset);
            Sys.ReadAt(file, buffer.AsSpan(0, wanted), offset, out int count).ThrowIfFailed("pread", $"files/{name}");
            Session.Output.Write(buffer.AsSpan(0, count));
            offset += count;
            if (count != wanted)
            {
                throw new CorruptException($"files/{name}", "the object is shorter than the commit says", new Remedy.CheckStore());
            }
        }

        return ExitCode.Done;
    }
}
