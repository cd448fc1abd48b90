using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// The physical root of a new disk, as a directory: a store with one commit, roots checked out from the commit, and the directories that
/// they share.
/// </summary>
internal sealed class ImageContent(string path)
{
    private string StorePath => At(ImageLayout.Store);

    /// <summary>Makes the directory and a store in it, and opens the store.</summary>
    internal ObjectStore CreateStore(StoreFormat format, CancellationToken stop)
    {
        Directory.CreateDirectory(path);
        ObjectStore.Create(StorePath, format);
        return ObjectStore.Open(StorePath, stop: stop);
    }

    internal string At(string name) => Path.Combine(path, name);

    /// <summary>Makes the shared directories: copies of the tree's /boot, /home and /var, because they will be written to.</summary>
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

        // Each root mounts its own database over this one.
        string database = At(ImageLayout.PackageDatabase);
        TreeRemoval.Remove(Sys.WorkingDirectory, ByteText.FromArgument(database), database);
        Directory.CreateDirectory(database);
    }

    /// <summary>Checks a root out of the commit. Its files are hardlinks, except those in /etc.</summary>
    internal void AddRoot(ObjectStore store, Digest commit, string refName, string name, Progress? progress)
    {
        var options = new CheckoutOptions { Method = CheckoutMethod.Hardlink, Boot = true, Progress = progress };
        _ = RootBuilder.Run(store, commit, refName, At(name), options);
    }

    /// <summary>
    /// Has a root mount the EFI system partition, so that its boot entries can be changed from inside. A line of the tree's own fstab that mounts
    /// another partition there belongs to another disk, and goes.
    /// </summary>
    internal void MountEfi(string root, uint serial)
    {
        Directory.CreateDirectory(At(EfiPartition.MountPoint[1..]));
        IReadOnlyList<FstabLine> lines = Fstab.Read(At(root));
        if (!lines.Any(line => line.Source == EfiPartition.LabelSource))
        {
            var others = lines.Where(line => line.Place == EfiPartition.MountPoint).Select(line => line.Number).ToHashSet();
            Fstab.Change(At(root), others, $"{EfiPartition.SourceOf(serial)} {EfiPartition.MountPoint} vfat umask=0077 0 1");
        }
    }

    /// <summary>
    /// Corrects the roots' records, which have inode numbers, for the inodes on the disk. Returns the files that must be replaced there.
    /// </summary>
    internal List<(string Path, string Source)> CorrectRecords(IReadOnlyList<string> roots, Func<string, ulong> inodeOf)
    {
        // Everything that mkfs made has an earlier time, so whatever is touched from now on counts as touched.
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
