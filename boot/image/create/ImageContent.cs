using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// The physical root of a new disk, as a directory: a store with one commit, the roots checked out of it beside it, and what they share.
/// </summary>
internal sealed class ImageContent(string path)
{
    private string StorePath => At(ImageLayout.Store);

    /// <summary>Makes the directory and the store in it, and opens that.</summary>
    internal ObjectStore CreateStore(CancellationToken stop)
    {
        Directory.CreateDirectory(path);
        ObjectStore.Create(StorePath, new StoreFormat());
        return ObjectStore.Open(StorePath, stop: stop);
    }

    internal string At(string name) => Path.Combine(path, name);

    /// <summary>Makes what the roots share: copies of the tree's own /boot, /home and /var, because these are written to.</summary>
    internal void AddShared(ObjectStore store, Digest commit, string refName)
    {
        foreach (string name in ImageLayout.Shared)
        {
            if (TreeWalk.TryFind(store.Packs, store.Packs.ReadCommit(commit), ByteText.FromArgument(name), out TreeEntry entry) && entry.IsDirectory)
            {
                _ = RootBuilder.Run(store, commit, refName, At(name), new CheckoutOptions { Method = CheckoutMethod.Copy, Subpath = name });
            }
            else
            {
                Directory.CreateDirectory(At(name));
            }
        }

        // Each root binds its own over this one.
        string database = At(ImageLayout.PackageDatabase);
        TreeRemoval.Remove(Sys.WorkingDirectory, ByteText.FromArgument(database), database);
        Directory.CreateDirectory(database);
    }

    /// <summary>Checks a root out of the commit, as hardlinks but for /etc.</summary>
    internal void AddRoot(ObjectStore store, Digest commit, string refName, string name, Progress? progress)
    {
        var options = new CheckoutOptions { Method = CheckoutMethod.Hardlink, Boot = true, Progress = progress };
        _ = RootBuilder.Run(store, commit, refName, At(name), options);
    }

    /// <summary>
    /// Corrects the records of the roots, which go by inodes, to what these are on the disk; answers the files that must be replaced there.
    /// </summary>
    internal List<(string Path, string Source)> CorrectRecords(IReadOnlyList<string> roots, Func<string, ulong> inodeOf)
    {
        // All that mkfs made is older than this, so that what is touched from now on counts as touched.
        long made = (DateTimeOffset.UtcNow - DateTimeOffset.UnixEpoch).Ticks * 100;
        var files = new List<(string Path, string Source)>();
        using ObjectStore store = ObjectStore.Open(StorePath);
        foreach (string root in roots)
        {
            using RootTurn turn = store.Roots.TakeTurn(root, root);
            RootRecord record = store.Roots.Find(root)!;
            turn.Write(record with { Directory = new DirectoryIdentity(inodeOf($"/{root}"), Born: null), Above = inodeOf("/"), SealedAt = made });
            string file = $"{ImageLayout.Store}/roots/{root}.json";
            files.Add(($"/{file}", At(file)));
        }

        return files;
    }
}
