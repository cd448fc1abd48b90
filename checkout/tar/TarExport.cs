using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>Writes a commit's tree as a tar stream. One commit always makes the same bytes.</summary>
public static class TarExport
{
    /// <summary>
    /// Writes the whole tree of a commit, including owners and devices. Throws <see cref="CorruptException"/> if a file's object is damaged;
    /// then the archive lacks its end and the last bytes of that file.
    /// </summary>
    public static void Run(ObjectStore store, Digest digest, Stream output, Progress? progress)
    {
        Commit commit = store.Packs.ReadCommit(digest);
        var writer = new TarWriter(output);
        CommitFile? file = null;
        TreeWalk.TryFind(store.Packs, commit, default, out TreeEntry root);
        writer.Add(default, root);
        TreeWalk.Visit(store.Packs, commit.Tree, (PathBuffer path, in TreeEntry entry) =>
        {
            store.Stop.ThrowIfCancellationRequested();
            writer.Add(path.Bytes, entry);
            if (entry.Kind == EntryKind.Regular)
            {
                // The walk has one path, which changes.
                store.Blobs.Read(entry, file ??= new CommitFile(digest, () => ByteText.Quote(path.Bytes)), writer.WriteContent);
            }

            if (!entry.IsDirectory)
            {
                progress?.Add(entry.Size);
            }

            return true;
        });
        writer.Finish();
    }
}
