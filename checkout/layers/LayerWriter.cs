using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>The length of a layer, before it is made.</summary>
/// <param name="Files">The entries that are no directories.</param>
/// <param name="ContentBytes">The sum of the sizes of the regular files.</param>
/// <param name="IsPossible">Whether there can be such a layer. A name of more than 251 bytes has no whiteout.</param>
public sealed record LayerSize(long Files, long ContentBytes, bool IsPossible);

/// <summary>
/// Writes a layer of a container image: a tar archive of what a commit has otherwise than the commit below it, with whiteouts of what is gone. A
/// directory on the way to a difference is in it too, because making something in it changes its time. The same commits make the same bytes.
/// </summary>
public static class LayerWriter
{
    /// <summary>Says how much a layer would have. Throws <see cref="StoreException"/> if a name is one that no layer can have.</summary>
    /// <param name="store">The store.</param>
    /// <param name="below">The commit below; none for a layer that has the whole tree.</param>
    /// <param name="commit">The commit.</param>
    public static LayerSize Measure(ObjectStore store, Digest below, Digest commit)
    {
        (long files, long contentBytes, bool isPossible) = (0, 0, true);
        Compare(store, below, commit, (ChangeKind kind, PathBuffer path, in TreeEntry before, in TreeEntry after) =>
        {
            bool isGone = kind == ChangeKind.Removed;
            TreeEntry entry = isGone ? before : after;
            files += entry.IsDirectory ? 0 : 1;
            contentBytes += isGone ? 0 : entry.Size;
            isPossible &= !isGone || entry.Name.Length + TarWhiteout.Prefix.Length <= EntryName.MaxLength;
            if (entry.Name.StartsWith(TarWhiteout.Prefix))
            {
                throw new StoreException(
                    $"{ByteText.Quote(path.Bytes)}: in a container image such a name means that something is deleted, so no image can have it");
            }
        });
        return new LayerSize(files, contentBytes, isPossible);
    }

    /// <summary>
    /// Writes a layer. Throws <see cref="CorruptException"/> if a file's object is damaged. <see cref="Measure"/> says what the parameters mean.
    /// </summary>
    public static void Run(ObjectStore store, Digest below, Digest commit, Stream output, Progress? progress)
    {
        var tar = new TarWriter(output);
        var whiteout = new FileMetadata(FileModes.PublicFile, 0, 0, 0);
        Compare(store, below, commit, (ChangeKind kind, PathBuffer path, in TreeEntry before, in TreeEntry after) =>
        {
            if (kind == ChangeKind.Removed)
            {
                tar.Add(WhiteoutOf(path.Bytes, before.Name), new TreeEntry { Kind = EntryKind.Regular, Metadata = whiteout });
                return;
            }

            tar.Add(path.Bytes, after);
            if (after.Kind == EntryKind.Regular)
            {
                store.Blobs.Read(after, new CommitFile(commit, () => ByteText.Quote(path.Bytes)), tar.WriteContent);
            }

            if (!after.IsDirectory)
            {
                progress?.Add(after.Size);
            }
        });
        tar.Finish();
    }

    private static byte[] WhiteoutOf(ReadOnlySpan<byte> path, ReadOnlySpan<byte> name) => [.. path[..^name.Length], .. TarWhiteout.Prefix, .. name];

    private static void Compare(ObjectStore store, Digest below, Digest commit, ChangeVisitor visitor)
    {
        TreeEntry before = below.IsNone ? default : store.Packs.ReadCommit(below).RootEntry();
        TreeDiff.Run(
            store.Packs,
            before,
            store.Packs.ReadCommit(commit).RootEntry(),
            (ChangeKind kind, PathBuffer path, in TreeEntry old, in TreeEntry entry) =>
            {
                store.Stop.ThrowIfCancellationRequested();
                visitor(kind, path, old, entry);
            },
            DiffDetail.WayToChanges);
    }
}
