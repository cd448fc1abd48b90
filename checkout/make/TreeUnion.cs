using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Lays a commit's tree over an existing directory, as `ostree checkout --union` does: directories that are there stay with their metadata and with all
/// names that the tree does not have, and the tree's files replace others. No record tells of it.
/// </summary>
/// <remarks>
/// <para>The directory is compared with the tree first. If one has a directory where the other has something else, nothing is changed.</para>
/// <para>
/// Everything is made in a private directory in the top, and gets its place by rename(2): a file, or a new directory with all that is in it. So a
/// kill leaves each name as it was, or whole, and the next run goes on. Directories are opened by descriptors, and no symbolic link is followed.
/// </para>
/// </remarks>
public sealed class TreeUnion : IDisposable
{
    private const OpenFlags OpenDirectory = OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow;

    private readonly ObjectStore store;
    private readonly Digest commit;
    private readonly CheckoutOptions options;
    private readonly string destination;
    private readonly SafeFileHandle top;
    private readonly Unrestored unrestored = new();
    private readonly TreeBuffer buffer = new();
    private SafeFileHandle? staging;
    private long files;

    private TreeUnion(ObjectStore store, Digest commit, string destination, CheckoutOptions options)
    {
        this.store = store;
        this.commit = commit;
        this.destination = destination;
        this.options = options;
        top = OpenPath.Directory(destination);
    }

    private static ReadOnlySpan<byte> StagingName => ".hacktree-union"u8;

    /// <summary>
    /// Lays a commit's tree, or the directory <see cref="CheckoutOptions.Subpath"/> of it, over a directory. Throws <see cref="StoreException"/> if there
    /// is no such directory, if it is a root, in one, or has one or a store in it, or if a directory and something else have one name.
    /// </summary>
    /// <param name="store">The store.</param>
    /// <param name="commitDigest">The commit.</param>
    /// <param name="revision">The commit as the user named it, for messages.</param>
    /// <param name="destination">The path of the directory.</param>
    /// <param name="options">Method, part of the tree, and progress. No other option means anything here.</param>
    public static CheckoutResult Run(ObjectStore store, Digest commitDigest, string revision, string destination, CheckoutOptions options)
    {
        store.RequireWritable();
        Commit commit = store.Packs.ReadCommit(commitDigest);
        if (!TreeWalk.TryFind(store.Packs, commit, ByteText.FromArgument(options.Subpath), out TreeEntry entry) || !entry.IsDirectory)
        {
            throw new StoreException($"'{options.Subpath}' is no directory in {revision}", new Remedy.ListTree(revision));
        }

        if (!PathStatus.IsDirectory(destination))
        {
            throw new StoreException($"{destination}: there is no such directory to lay a tree over");
        }

        RootUse.RequireOutside(store, destination);
        using var union = new TreeUnion(store, commitDigest, RealPath.Of(destination), options);
        union.Run(entry.Digest);
        return new CheckoutResult(union.destination, union.files, union.unrestored);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        staging?.Dispose();
        top.Dispose();
    }

    private void Run(Digest tree)
    {
        Errno locked = Sys.Lock(top, LockKind.Exclusive, wait: false);
        if (locked == Errno.EAGAIN)
        {
            throw new StoreException($"{destination}: another program has locked it, as one does that lays a tree over it");
        }

        locked.ThrowIfFailed("flock", destination);
        RemoveStaging();
        Walk(tree, static _ => { });
        try
        {
            staging = MakeStaging();
            Walk(tree, Apply);
        }
        catch (OperationCanceledException)
        {
            throw new StoppedException($"{destination} has a part of the tree, each file of it whole; the same again does the rest");
        }
        finally
        {
            RemoveStaging();
        }

        Sys.SyncFilesystem(top).ThrowIfFailed("syncfs", destination);
    }

    /// <summary>
    /// Visits each directory that the tree and the destination have both, those above first. Throws <see cref="StoreException"/> at the first name
    /// that has a directory on one side only, or something mounted on it.
    /// </summary>
    private void Walk(Digest tree, Action<UnionDirectory> visit)
    {
        var waiting = new Stack<UnionDirectory>();
        waiting.Push(new UnionDirectory(null, tree, []));
        UnionDirectory? current = null;
        try
        {
            while (waiting.TryPop(out current))
            {
                current.Handle = current.Parent is { } parent ? Open(parent, current.Name) : DirectoryReader.Reopen(top, destination);
                foreach (TreeEntry entry in store.Packs.ReadTree(current.Tree, buffer))
                {
                    store.Stop.ThrowIfCancellationRequested();
                    if (HasBoth(current, entry))
                    {
                        current.Expect();
                        waiting.Push(new UnionDirectory(current, entry.Digest, entry.Name.ToArray()));
                    }
                }

                visit(current);
                for (UnionDirectory? done = current; done is not null && done.FinishOne(); done = done.Parent)
                {
                    done.Handle!.Dispose();
                }
            }
        }
        finally
        {
            for (UnionDirectory? open = current; open is not null; open = open.Parent)
            {
                open.Handle?.Dispose();
            }
        }
    }

    /// <summary>Whether an entry is a directory that is there. Throws <see cref="StoreException"/> if the tree cannot be laid over what is there.</summary>
    private bool HasBoth(UnionDirectory directory, in TreeEntry entry)
    {
        if (directory.Parent is null && entry.Name.SequenceEqual(StagingName))
        {
            throw new StoreException($"the tree has the name {ByteText.Quote(StagingName)}, which is needed here for files that are being made");
        }

        Errno errno = Sys.Stat(directory.Handle!, entry.Name, out FileStatus status);
        if (errno == Errno.ENOENT)
        {
            return false;
        }

        Require(errno, "statx", directory, entry.Name);
        string? obstacle = status.IsMountRoot ? "something is mounted there; lay that part of the tree over it by itself"
            : entry.IsDirectory == (status.Type == FileType.Directory) ? null
            : entry.IsDirectory ? $"the tree has a directory there, and it is {(status.Type == FileType.Symlink ? "a symbolic link" : "none")}"
            : "it is a directory, and the tree has none there";
        return obstacle is null ? entry.IsDirectory : throw new StoreException($"{directory.Subject(destination, entry.Name)}: {obstacle}");
    }

    private void Apply(UnionDirectory directory)
    {
        TreeMaker? maker = null;
        foreach (TreeEntry entry in store.Packs.ReadTree(directory.Tree, buffer))
        {
            store.Stop.ThrowIfCancellationRequested();
            bool exists = Sys.Stat(directory.Handle!, entry.Name, out FileStatus status) == Errno.None;
            if (exists && (entry.IsDirectory || IsSame(entry, status)))
            {
                continue;
            }

            if (entry.IsDirectory)
            {
                MakeDirectory(directory, entry);
                continue;
            }

            maker ??= NewMaker(directory.Subject(destination, default));
            maker.Begin(staging!, entry.Name, entry);
            Errno errno = Sys.Rename(staging!, entry.Name, directory.Handle!, entry.Name);

            // An ordinary user makes no devices.
            if (errno != Errno.ENOENT || entry.Kind is EntryKind.Regular or EntryKind.Symlink)
            {
                Require(errno, "renameat", directory, entry.Name);
            }
        }

        files += maker?.Files ?? 0;
    }

    /// <summary>Whether a file is the object's inode already. Renaming a hardlink over another one of the same inode does nothing.</summary>
    private bool IsSame(in TreeEntry entry, in FileStatus status) =>
        entry.Kind == EntryKind.Regular && options.Method == CheckoutMethod.Hardlink && store.Blobs.IsInode(store.Blobs.NameOf(entry), status);

    private void MakeDirectory(UnionDirectory directory, in TreeEntry entry)
    {
        TreeMaker maker = NewMaker(directory.Subject(destination, entry.Name));
        maker.Begin(staging!, entry.Name, entry);
        maker.Run();
        Require(Sys.RenameNew(staging!, entry.Name, directory.Handle!, entry.Name), "renameat2", directory, entry.Name);
        files += maker.Files;
    }

    private TreeMaker NewMaker(string path) =>
        new(store, options.Method, path, options.Progress, store.Stop) { Commit = commit, Unrestored = unrestored };

    private SafeFileHandle MakeStaging()
    {
        Sys.MakeDirectory(top, StagingName, FileModes.OwnerOnly).ThrowIfFailed("mkdirat", StagingPath);
        Sys.Open(top, StagingName, OpenDirectory, out SafeFileHandle made).ThrowIfFailed("openat", StagingPath);
        Xattrs.RemoveInheritedAcls(made, StagingPath);
        Sys.SetOwner(made, Sys.EffectiveUid, Sys.EffectiveGid).ThrowIfFailed("fchownat", StagingPath);
        Sys.SetMode(made, FileModes.OwnerOnly).ThrowIfFailed("fchmod", StagingPath);
        return made;
    }

    /// <summary>Removes what this run or a killed one made. Throws <see cref="StoreException"/> if it is somebody else's.</summary>
    private void RemoveStaging()
    {
        Errno errno = Sys.Stat(top, StagingName, out FileStatus status);
        if (errno == Errno.ENOENT)
        {
            return;
        }

        errno.ThrowIfFailed("statx", StagingPath);
        if (status.Type != FileType.Directory || status.Uid != Sys.EffectiveUid || (status.Mode & FileModes.Permissions) != FileModes.OwnerOnly)
        {
            throw new StoreException($"{StagingPath}: it is in the way of files that are being made; move it away");
        }

        TreeRemoval.Remove(top, StagingName, StagingPath);
    }

    private SafeFileHandle Open(UnionDirectory parent, byte[] name)
    {
        Errno errno = Sys.Open(parent.Handle!, name, OpenDirectory, out SafeFileHandle handle);
        Require(errno, "openat", parent, name);
        return handle;
    }

    private string StagingPath => $"{destination.TrimEnd('/')}/{ByteText.Quote(StagingName)}";

    private void Require(Errno errno, string call, UnionDirectory directory, ReadOnlySpan<byte> name)
    {
        if (errno != Errno.None)
        {
            throw new LinuxException(errno, call, directory.Subject(destination, name));
        }
    }

    /// <summary>A directory that the tree and the destination have both. It stays open until all below it are done.</summary>
    private sealed class UnionDirectory(UnionDirectory? parent, Digest tree, byte[] name) : TreeDirectory<UnionDirectory>(parent, name)
    {
        public Digest Tree { get; } = tree;

        public SafeFileHandle? Handle { get; set; }
    }
}
