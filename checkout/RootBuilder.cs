using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>How a commit becomes a directory.</summary>
public sealed record CheckoutOptions
{
    /// <summary>How files are made.</summary>
    public CheckoutMethod Method { get; init; }

    /// <summary>The part of the tree to check out; empty for all of it.</summary>
    public string Subpath { get; init; } = "";

    /// <summary>Whether to put it in the place of what is there.</summary>
    public bool Force { get; init; }

    /// <summary>Counts files and bytes as they are done.</summary>
    public Progress? Progress { get; init; }
}

/// <summary>What a checkout made.</summary>
/// <param name="Path">Its absolute path.</param>
/// <param name="Files">Names made that are not directories.</param>
/// <param name="Unrestored">What an ordinary user could not restore.</param>
public sealed record CheckoutResult(string Path, long Files, Unrestored Unrestored);

/// <summary>
/// Checks a commit out as a root. Order of steps, so that a root of that name is always whole and its record true: write
/// a partial record, build .NAME.partial, rename it (or exchange it with what --force replaces), write the ready record,
/// remove the partial one. A crash leaves a partial record with the inode of what was built: gc finds that inode under
/// the partial name, where it is litter, or under the final one, where it is a whole root to be recorded.
/// </summary>
public static class RootBuilder
{
    /// <summary>
    /// Builds <paramref name="destination"/> from a commit. Throws <see cref="StoreException"/> where it exists already,
    /// or is on another filesystem than the store and files are to be hardlinks.
    /// </summary>
    /// <param name="store">The store.</param>
    /// <param name="commitDigest">The commit.</param>
    /// <param name="revision">The commit as the user named it, for the record.</param>
    /// <param name="destination">Where to; the directory above must exist.</param>
    /// <param name="options">How.</param>
    public static CheckoutResult Run(ObjectStore store, Digest commitDigest, string revision, string destination, CheckoutOptions options)
    {
        store.RequireWritable();
        string path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(destination));
        Commit commit = store.Packs.ReadCommit(commitDigest);
        if (!TreeWalk.TryFind(store.Packs, commit, ByteText.FromArgument(options.Subpath), out TreeEntry entry))
        {
            throw new StoreException($"'{options.Subpath}' is not in {revision}; `hacktree ls {revision}` shows what is");
        }

        if (!Commit.IsLine(path))
        {
            throw new StoreException($"{ByteText.Quote(ByteText.FromArgument(path))}: the path of a root must be UTF-8 text of one line, because records and boot entries hold it");
        }

        if (path == "/" || path.EndsWith(".partial", StringComparison.Ordinal))
        {
            throw new StoreException($"{path}: a checkout makes a new directory, whose name must not end in .partial; name one such as /r1");
        }

        using SafeFileHandle parent = OpenParent(path);
        bool isOneFilesystem = RequireSpace(store, parent, path, options);
        var job = new Job(store, parent, path, new TreeMaker(store, options.Method, path, options.Progress), options.Force);

        // A part of a tree, or a copy elsewhere, is not a root: its record lasts only while it is built.
        bool isRoot = options.Subpath.Length == 0 && isOneFilesystem;
        var record = new RootRecord
        {
            Path = store.Roots.RecordedPath(path),
            Commit = commitDigest.ToString(),
            Revision = revision,
            Time = DateTimeOffset.UtcNow.ToUnixTimeSeconds(),
            Method = options.Method,
            State = RootState.Partial,
            IsRoot = isRoot,
        };
        using IDisposable? turn = TakeTurn(store, path, isRoot, out string name);
        bool isRecorded = turn is not null;
        try
        {
            Record(store, name, record, isRecorded);
            record = record with { Inode = job.Begin(entry) };
            Record(store, name, record, isRecorded);
            job.Build();
        }
        catch
        {
            // What fails while we live leaves nothing; what kills us, or cannot be removed now, leaves the record that gc goes by.
            if (job.TryRemove())
            {
                Forget(store, name, isRecorded);
            }

            throw;
        }

        // Before the partial record goes: btrfs could lose the new name and keep what is written to the store after it.
        Sys.Sync(parent).ThrowIfFailed("fsync", path);
        if (isRoot)
        {
            store.Roots.Write(name, record with { State = RootState.Ready, IsRoot = null, Inode = null });
        }

        // The new root is there and recorded: an old one that cannot be removed (something is mounted in it) is left to gc.
        job.RemoveReplaced();
        Forget(store, name, isRecorded);
        return new CheckoutResult(path, job.Maker.Files, job.Maker.Unrestored);
    }

    private static SafeFileHandle OpenParent(string path)
    {
        string above = Path.GetDirectoryName(path)!;
        Errno errno = Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(above), OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle parent);
        if (errno is Errno.ENOENT or Errno.ENOTDIR)
        {
            throw new StoreException($"{above}: no such directory; make it first, a checkout makes only its last component");
        }

        errno.ThrowIfFailed("openat", above);
        return parent;
    }

    /// <summary>Refuses a destination that is taken, dangerous or out of reach of links; answers whether it is on the store's filesystem.</summary>
    private static bool RequireSpace(ObjectStore store, SafeFileHandle parent, string path, CheckoutOptions options)
    {
        bool exists = Sys.Stat(parent, NameOf(path), out FileStatus taken) == Errno.None;
        if (exists && !options.Force)
        {
            throw new StoreException($"{path}: it exists already; choose another name, or replace it with --force");
        }

        if (exists && (taken.IsMountRoot || (store.Path + "/").StartsWith(path + "/", StringComparison.Ordinal)))
        {
            throw new StoreException($"{path}: a filesystem or the store itself is there, which --force does not replace; choose another name");
        }

        Sys.Stat(parent, out FileStatus above).ThrowIfFailed("statx", path);
        bool isOneFilesystem = above.Device == store.Identity().Device;
        return isOneFilesystem || options.Method != CheckoutMethod.Hardlink
            ? isOneFilesystem
            : throw new StoreException($"{path}: hardlinks need one filesystem, and the store {store.Path} is on another; use --copy, or a place beside the store");
    }

    /// <summary>
    /// Only one process builds a root of a name. Null where the store cannot be written to (a read-only mount), which is
    /// no obstacle to a copy elsewhere: nothing of that is recorded.
    /// </summary>
    private static IDisposable? TakeTurn(ObjectStore store, string path, bool mustRecord, out string name)
    {
        while (true)
        {
            name = store.Roots.NameFor(path);
            try
            {
                if (!store.Roots.TryTakeTurn(name, out IDisposable? turn))
                {
                    throw new StoreException($"{path}: another process is building it; wait for that one, or choose another name");
                }

                // Before the turn was ours, a root elsewhere may have got that name.
                if (store.Roots.NameFor(path) == name)
                {
                    return turn;
                }

                turn.Dispose();
            }
            catch (LinuxException e) when (!mustRecord && e.Errno is Errno.EROFS or Errno.EACCES)
            {
                return null;
            }
        }
    }

    private static void Record(ObjectStore store, string name, RootRecord record, bool isRecorded)
    {
        if (isRecorded)
        {
            store.Roots.Write(Roots.PartialName(name), record);
        }
    }

    private static void Forget(ObjectStore store, string name, bool isRecorded)
    {
        if (isRecorded)
        {
            store.Roots.Remove(Roots.PartialName(name));
        }
    }

    private static byte[] NameOf(string path) => ByteText.FromArgument(Path.GetFileName(path));

    private sealed record Job(ObjectStore Store, SafeFileHandle Parent, string FinalPath, TreeMaker Maker, bool Force)
    {
        private byte[] PartialName => NameOf(Roots.PartialPath(FinalPath));

        /// <summary>Makes the top in place of an earlier try that was interrupted; answers its inode.</summary>
        public ulong Begin(in TreeEntry entry)
        {
            TreeRemoval.Remove(Parent, PartialName, Roots.PartialPath(FinalPath));
            Maker.Begin(Parent, PartialName, entry);
            Sys.Stat(Parent, PartialName, out FileStatus status).ThrowIfFailed("statx", FinalPath);
            return status.Inode;
        }

        /// <summary>Removes what was built; the first failure is the one to tell, not that of the removal.</summary>
        public bool TryRemove()
        {
            try
            {
                TreeRemoval.Remove(Parent, PartialName, Roots.PartialPath(FinalPath));
                return true;
            }
            catch (LinuxException)
            {
                return false;
            }
        }

        /// <summary>Removes the root that was replaced and now stands where the new one was built.</summary>
        public void RemoveReplaced() => TreeRemoval.Remove(Parent, PartialName, Roots.PartialPath(FinalPath));

        public void Build()
        {
            Maker.Run();
            // Without this a power cut could leave empty files in a whole root (content is not journaled in order), and on
            // btrfs, which keeps what was synced and forgets what was not, a root without its files.
            Sys.SyncFilesystem(Parent).ThrowIfFailed("syncfs", FinalPath);
            Errno errno = Sys.RenameNew(Parent, PartialName, Parent, NameOf(FinalPath));
            if (errno == Errno.EEXIST && Force)
            {
                errno = Sys.Exchange(Parent, PartialName, Parent, NameOf(FinalPath));
            }

            if (errno == Errno.EEXIST)
            {
                throw new StoreException($"{FinalPath}: somebody made it while it was being built; remove one of the two");
            }

            errno.ThrowIfFailed("renameat2", FinalPath);
        }
    }
}
