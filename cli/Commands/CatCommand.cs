using System.CommandLine;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Cli;

internal sealed class CatCommand : Verb
{
    private readonly Argument<string> revision;
    private readonly Argument<string> place = new("PATH") { Description = "The file in it." };

    internal CatCommand()
        : base("cat", "Write a file's content to standard output.", "hacktree cat debian/bookworm etc/os-release")
    {
        revision = AddRevision("COMMIT", "The commit: a ref, REF^, REF~3, or an id or its beginning.");
        Add(place);
        CompletePaths(place, revision);
    }

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        Commit commit = store.Packs.ReadCommit(Revision.Resolve(store, session.Get(revision)));
        if (!TreeWalk.TryFind(store.Packs, commit, Session.TreePath(session.Get(place)), out TreeEntry entry))
        {
            throw new StoreException($"'{session.Get(place)}' is not in {session.Get(revision)}; `hacktree ls {session.Get(revision)}` shows what is");
        }

        if (entry.Kind != EntryKind.Regular)
        {
            string target = entry.Kind == EntryKind.Symlink ? $" to {ByteText.Quote(entry.Target)}" : "";
            throw new StoreException($"'{session.Get(place)}' is no file but a {EntryText.TypeOf(entry.Kind)}{target}; give a file");
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
                throw new CorruptException($"files/{name}: the object is shorter than the commit says; run `hacktree fsck`");
            }
        }

        return ExitCode.Done;
    }
}
