using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// Copies one commit from a store to another, with its trees and objects but without its history. The commit keeps its id.
/// </summary>
internal sealed class StoreTransfer(ObjectStore source, ObjectStore target, Progress? progress)
{
    private readonly byte[] buffer = new byte[Blobs.BufferSize];

    /// <summary>Copies a commit, durably, and sets a ref to it in the other store.</summary>
    internal void Run(Digest digest, string refName)
    {
        Commit commit = source.Packs.ReadCommit(digest);
        using var additions = new Additions(target);
        var rest = new Stack<Digest>();
        rest.Push(commit.Tree);
        while (rest.TryPop(out Digest next))
        {
            target.Stop.ThrowIfCancellationRequested();
            if (additions.Pack.Contains(next))
            {
                continue;
            }

            Tree tree = source.Packs.ReadTree(next);
            foreach (TreeEntry entry in tree)
            {
                if (entry.IsDirectory)
                {
                    rest.Push(entry.Digest);
                }
                else if (entry.Kind == EntryKind.Regular)
                {
                    Take(additions, entry, digest);
                }
            }

            _ = additions.Pack.Add(PackedKind.Tree, next, tree.Bytes);
        }

        _ = additions.PublishCommit(refName, commit).SetRef($"{RefChange.InImage}{commit.Subject}");
    }

    private void Take(Additions additions, in TreeEntry entry, Digest commit)
    {
        byte[] name = entry.Name.ToArray();
        var place = new CommitFile(commit, () => ByteText.Quote(name));
        using SafeFileHandle file = source.Blobs.Open(entry, place, out FileStatus status);
        if (additions.AddFile(file, status, entry.Metadata, entry.Xattrs, buffer, place, expected: entry.Digest) != entry.Digest)
        {
            throw source.Blobs.OtherContent(entry, place);
        }

        progress?.Add(entry.Size);
    }
}
