using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>A copy of one directory of a commit, in a directory for temporary files. No record tells of it. Disposing of it removes the copy.</summary>
public sealed class ScratchCopy : IDisposable
{
    private ScratchCopy(string path) => Path = path;

    /// <summary>The directory that the copied one is in.</summary>
    public string Path { get; }

    /// <summary>Copies the directory with that name at the top of the commit. Throws <see cref="StoreException"/> if there is none.</summary>
    public static ScratchCopy Make(ObjectStore store, Digest commit, string name, string revision)
    {
        byte[] bytes = ByteText.FromArgument(name);
        if (!TreeWalk.TryFind(store.Packs, store.Packs.ReadCommit(commit), bytes, out TreeEntry entry) || !entry.IsDirectory)
        {
            throw new StoreException($"{revision} has no directory /{name}", new Remedy.ListTree(revision));
        }

        var copy = new ScratchCopy(RealPath.Of(Directory.CreateTempSubdirectory("hacktree-").FullName));
        try
        {
            using SafeFileHandle top = OpenPath.Directory(copy.Path);
            var maker = new TreeMaker(store, CheckoutMethod.Copy, copy.Path, null, store.Stop) { Commit = commit };
            maker.Begin(top, bytes, entry);
            maker.Run();
            return copy;
        }
        catch
        {
            copy.Dispose();
            throw;
        }
    }

    /// <summary>Removes the copy.</summary>
    public void Dispose() => TreeRemoval.Remove(Sys.WorkingDirectory, ByteText.FromArgument(Path), Path);
}
