using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>A file of a root that was a damaged inode.</summary>
/// <param name="Root">The name of the root's record.</param>
/// <param name="Path">The file's path in the root, as bytes.</param>
/// <param name="Object">The object that it became, or will become.</param>
public sealed record RelinkedFile(string Root, byte[] Path, ObjectName Object);

/// <summary>
/// Gives roots the objects in the place of damaged inodes, which the store keeps a list of (<see cref="DamagedInodes"/>). Each file is replaced by
/// a rename, so processes that have the damaged file open keep it, and everybody else sees the one file or the other.
/// </summary>
/// <remarks>
/// Nobody else uses the store meanwhile. So no checkout is under way that linked a damaged inode before the object had another. If this process
/// ends, the list is still there, and the next run goes on. A file that is neither the object nor a damaged inode was put there by somebody, and stays.
/// </remarks>
public sealed class RootRelink
{
    private readonly ObjectStore store;
    private readonly bool isDry;
    private readonly ulong device;
    private bool isResumed;
    private readonly Dictionary<ObjectName, HashSet<ulong>> damaged = [];
    private readonly HashSet<Digest> blobs = [];
    private readonly Dictionary<ObjectName, bool> isRight = [];
    private readonly HashSet<ObjectName> failed = [];
    private readonly List<RelinkedFile> files = [];
    private readonly List<Exception> failures = [];

    private RootRelink(ObjectStore store, bool isDry)
    {
        this.store = store;
        this.isDry = isDry;
        device = store.Identity().Device;
    }

    /// <summary>The files that were given the objects, or would be.</summary>
    public IReadOnlyList<RelinkedFile> Files => files;

    /// <summary>What stood in the way. Everything else was done.</summary>
    public IReadOnlyList<Exception> Failures => failures;

    /// <summary>How many other names the damaged inodes have: names that no record of a root accounts for.</summary>
    public long NamesElsewhere { get; private set; }

    /// <summary>Relinks all roots. Waits until no other process uses the store, unless there is nothing to do.</summary>
    public static RootRelink Run(ObjectStore store)
    {
        if (store.Damaged.List().Count == 0 && !store.Damaged.IsUnfinished())
        {
            return new RootRelink(store, isDry: false);
        }

        return store.RunAlone(() =>
        {
            // gc may have removed some meanwhile.
            var relink = new RootRelink(store, isDry: false) { isResumed = store.Damaged.IsUnfinished() };
            List<DamagedInode> inodes = store.Damaged.List();
            store.Damaged.Begin();
            relink.Look(inodes);
            store.Sync();
            relink.Forget(inodes);
            if (relink.failures.Count == 0)
            {
                store.Damaged.Finish();
            }

            return relink;
        });
    }

    /// <summary>Finds the files that <see cref="Run"/> would replace if these inodes were damaged too.</summary>
    public static RootRelink Plan(ObjectStore store, IEnumerable<DamagedInode> planned)
    {
        var relink = new RootRelink(store, isDry: true);
        relink.Look([.. store.Damaged.List(), .. planned]);
        return relink;
    }

    private void Look(List<DamagedInode> inodes)
    {
        // An inode that is still the object is replaced nowhere.
        foreach (DamagedInode inode in inodes.Where(inode => isDry || !IsObject(inode)))
        {
            if (!damaged.TryGetValue(inode.Object, out HashSet<ulong>? numbers))
            {
                damaged.Add(inode.Object, numbers = []);
            }

            numbers.Add(inode.Inode);
            blobs.Add(inode.Object.Blob);
        }

        foreach ((string name, RootEntry record) in Whole())
        {
            try
            {
                Look(name, record);
            }
            catch (Exception e) when (e is StoreException or LinuxException)
            {
                failures.Add(e);
                failed.UnionWith(damaged.Keys);
            }
        }
    }

    /// <summary>The records of roots of hardlinks, also of those whose maker ended before it wrote the root's own record.</summary>
    private IEnumerable<(string Name, RootEntry Record)> Whole()
    {
        foreach (string name in store.Roots.Names())
        {
            RootEntry? record;
            try
            {
                record = store.Roots.Read(name);
            }
            catch (CorruptException e)
            {
                failures.Add(e);
                failed.UnionWith(damaged.Keys);
                continue;
            }

            if (record is { Method: CheckoutMethod.Hardlink or CheckoutMethod.Image, Directory: not null }
                and (RootRecord or BuildRecord { BecomesRoot: true }))
            {
                yield return (name, record);
            }
        }
    }

    private void Look(string name, RootEntry record)
    {
        string path = store.Roots.AbsolutePath(record);
        Errno errno = Sys.Open(
            Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.Path | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle top);
        using (top)
        {
            if (errno is Errno.ENOENT or Errno.ENOTDIR)
            {
                return;
            }

            errno.ThrowIfFailed("openat", path);
            Sys.Stat(top, out FileStatus status).ThrowIfFailed("statx", path);
            if (!record.Directory!.Value.IsOf(status))
            {
                return;
            }

            Commit commit = store.Packs.ReadCommit(record.Commit);
            TreeWalk.Visit(store.Packs, commit.Tree, (PathBuffer place, in TreeEntry entry) =>
            {
                store.Stop.ThrowIfCancellationRequested();
                if (entry.Kind == EntryKind.Regular && blobs.Contains(entry.Digest) && store.Blobs.NameOf(entry) is var wanted && damaged.ContainsKey(wanted))
                {
                    Look(name, path, top, commit, place.Bytes, wanted);
                }

                return true;
            });
        }
    }

    private void Look(string root, string rootPath, SafeFileHandle top, Commit commit, ReadOnlySpan<byte> path, in ObjectName wanted)
    {
        int slash = path.LastIndexOf((byte)'/');
        ReadOnlySpan<byte> entry = path[(slash + 1)..], parent = path[..Math.Max(0, slash)];
        Errno errno = Sys.OpenBeneath(top, parent.IsEmpty ? "."u8 : parent, OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle directory);
        using (directory)
        {
            // A directory that was replaced by something else has nothing of the store's.
            if (errno is Errno.ENOENT or Errno.ENOTDIR or Errno.ELOOP)
            {
                return;
            }

            if (errno == Errno.None && (Sys.Stat(directory, entry, out FileStatus status) != Errno.None || !IsDamaged(wanted, status)))
            {
                RestoreTime(directory, commit, parent);
                return;
            }

            if (errno == Errno.None)
            {
                errno = isDry ? Errno.None : Replace(directory, entry, wanted);
            }
        }

        if (errno == Errno.None && (isDry || isRight[wanted]))
        {
            files.Add(new RelinkedFile(root, path.ToArray(), wanted));
        }
        else if (errno != Errno.None)
        {
            string file = $"{rootPath}/{ByteText.Quote(path)}";
            failures.Add(errno is Errno.EXDEV or Errno.EROFS
                ? new StoreException($"{file}: it is damaged, and a mount hides it; unmount what is mounted at or below {rootPath}, and repair again")
                : new LinuxException(errno, "renameat2", file));
            failed.Add(wanted);
        }
    }

    private bool IsDamaged(in ObjectName wanted, in FileStatus status) => status.Device == device && damaged[wanted].Contains(status.Inode);

    private Errno Replace(SafeFileHandle directory, ReadOnlySpan<byte> entry, in ObjectName wanted)
    {
        if (!IsRight(wanted))
        {
            return Errno.None;
        }

        Errno errno = Sys.Stat(directory, out FileStatus before);
        errno = errno == Errno.None ? store.Blobs.LinkOver(wanted, directory, entry) : errno;
        if (errno == Errno.None && before.ModifyTime.Nanoseconds == 0)
        {
            // The checkout gave the directory its time. Other times are those of a change, and stay behind it.
            errno = Sys.SetTime(directory, before.ModifyTime.Seconds);
        }

        return errno;
    }

    /// <summary>
    /// Gives a directory the time that the commit has for it, if an earlier run did not finish: it may have ended between a rename in the directory and this.
    /// </summary>
    private void RestoreTime(SafeFileHandle directory, Commit commit, ReadOnlySpan<byte> path)
    {
        if (isResumed && Sys.Stat(directory, out FileStatus status) == Errno.None && status.ModifyTime.Nanoseconds != 0
            && TreeWalk.TryFind(store.Packs, commit, path, out TreeEntry entry) && entry.IsDirectory)
        {
            _ = Sys.SetTime(directory, entry.Metadata.ModifyTime);
        }
    }

    private bool IsObject(DamagedInode inode) => store.Blobs.TryStat(inode.Object, out FileStatus status) && status.Inode == inode.Inode;

    private bool IsRight(in ObjectName wanted)
    {
        if (!isRight.TryGetValue(wanted, out bool right))
        {
            right = store.Blobs.IsRight(wanted);
            isRight.Add(wanted, right);
        }

        return right;
    }

    /// <summary>Removes inodes from the list that no root has any more. Those of objects that are not right stay.</summary>
    private void Forget(List<DamagedInode> inodes)
    {
        foreach (DamagedInode inode in inodes.Where(inode => !failed.Contains(inode.Object) && IsRight(inode.Object)))
        {
            // An inode that was mended in its place is the object again.
            long names = IsObject(inode) ? 0 : store.Damaged.LinksOf(inode);
            NamesElsewhere += names;
            Errno errno = names > 0 ? Errno.None : store.Damaged.Remove(inode);

            // A directory that stood in the object's place is left to gc.
            if (errno is not (Errno.None or Errno.ENOENT or Errno.EISDIR))
            {
                failures.Add(new LinuxException(errno, "unlinkat", $"{store.Path}/{inode.Path}"));
            }
        }
    }
}
