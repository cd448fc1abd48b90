using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>A pack with a commit and trees of it, in a file without a name.</summary>
/// <param name="File">The file, at its beginning.</param>
/// <param name="Descriptor">What it is on a remote.</param>
internal sealed record SentPack(FileStream File, Descriptor Descriptor) : IDisposable
{
    /// <summary>Makes one of a commit and of its trees that another one does not have.</summary>
    internal static SentPack Make(ObjectStore store, SentContent content, SentContent? old)
    {
        using var scratch = new ScratchPack(store);
        scratch.Pack.Add(content.Commit);
        foreach (Digest tree in content.TreesWithout(old))
        {
            scratch.Pack.Add(PackedKind.Tree, tree, store.Packs.ReadTree(tree).Bytes);
        }

        (Microsoft.Win32.SafeHandles.SafeFileHandle handle, Digest name) = scratch.Complete();
        var file = new FileStream(handle, FileAccess.Read, bufferSize: 0);
        return new SentPack(file, new Descriptor(MediaType.Pack, name, file.Length));
    }

    public void Dispose() => File.Dispose();
}
