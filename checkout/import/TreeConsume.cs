using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Takes away a directory that was committed with --consume, once the commit is durable: exactly what the commit holds.
/// What is not in it, or has changed since, stays, and with it the directories above.
/// </summary>
/// <remarks>
/// Until then a file of it that became an object has two names, and who writes to it by the one in the source writes into the object. So all are
/// looked at before the ref is set, and each once more before it goes; an object that was written to is removed from the store, and
/// the file stays with what was written.
/// </remarks>
public sealed class TreeConsume
{
    private readonly ObjectStore store;
    private readonly ImportResult tree;
    private readonly string path;
    private readonly bool isRemoving;
    private readonly Stack<Level> levels = new();
    private long kept;
    private long changed;
    private string firstChanged = "";
    private bool isShared;

    private TreeConsume(ObjectStore store, ImportResult tree, string path, bool isRemoving)
    {
        this.store = store;
        this.tree = tree;
        this.path = path;
        this.isRemoving = isRemoving;
    }

    /// <summary>
    /// Throws <see cref="StoreException"/> where a file that has become an object was written to since. For the time before a ref needs the objects.
    /// </summary>
    public static void RequireUnchanged(ObjectStore store, ImportResult tree, string path)
    {
        if (store.IsAdopting)
        {
            var check = new TreeConsume(store, tree, path, isRemoving: false);
            check.Walk();
            check.ThrowIfChanged("nothing was committed: commit a tree that nobody writes to");
        }
    }

    /// <summary>
    /// Removes what <paramref name="tree"/> holds from <paramref name="path"/>; answers the number of names that stayed. Throws
    /// <see cref="StoreException"/>, when all else is removed, where a file that has become an object was written to since.
    /// </summary>
    public static long Run(ObjectStore store, ImportResult tree, string path)
    {
        var removal = new TreeConsume(store, tree, path, isRemoving: true);
        bool areNamesInOrder = removal.Walk();
        removal.ThrowIfChanged("the new commit lacks what was in it: go back to the one before, or commit the whole tree again");
        if (store.IsAdopting && !removal.isShared)
        {
            if (!areNamesInOrder)
            {
                // No name may come back with a power cut after what tells of it is gone.
                store.Sync();
            }

            store.EndAdoption();
        }

        return removal.kept;
    }

    /// <summary>Goes through the tree; answers whether the filesystem keeps names in the order they were made or removed.</summary>
    private bool Walk()
    {
        Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle top)
            .ThrowIfFailed("openat", path);
        bool areNamesInOrder = NameOrder.IsKept(top);
        levels.Push(new Level(top, [], new TreeCursor(store.Packs.ReadTree(tree.Tree))));
        try
        {
            while (levels.TryPeek(out Level? level))
            {
                if (!level.Next(out TreeEntry entry))
                {
                    levels.Pop();
                    level.Directory.Dispose();
                    kept += isRemoving && RemoveDirectory(level) != Errno.None ? 1 : 0;
                }
                else if (!entry.IsDirectory)
                {
                    Settle(level.Directory, entry);
                }
                else if (Sys.Open(level.Directory, entry.Name, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle child) == Errno.None)
                {
                    levels.Push(new Level(child, entry.Name.ToArray(), new TreeCursor(store.Packs.ReadTree(entry.Digest))));
                }
                else
                {
                    // Somebody may have moved it away, with files in it that are objects.
                    kept++;
                    isShared = true;
                }
            }
        }
        finally
        {
            foreach (Level level in levels)
            {
                level.Directory.Dispose();
            }
        }

        return areNamesInOrder;
    }

    private Errno RemoveDirectory(Level level) =>
        levels.TryPeek(out Level? above)
            ? Sys.RemoveDirectory(above.Directory, level.Name)
            : Sys.RemoveDirectory(Sys.WorkingDirectory, ByteText.FromArgument(path));

    /// <summary>Removes a file that is as it was committed; of one that is not, makes sure that it is no object.</summary>
    private void Settle(SafeFileHandle directory, in TreeEntry entry)
    {
        bool isThere = Sys.Stat(directory, entry.Name, out FileStatus status) == Errno.None;
        bool isSame = isThere && IsUnchanged(status, entry);
        if (isSame && (!isRemoving || Sys.Unlink(directory, entry.Name) == Errno.None))
        {
            return;
        }

        kept++;
        if (entry.Kind != EntryKind.Regular)
        {
            return;
        }

        ObjectName name = store.Blobs.NameOf(entry);
        if (isThere && !isSame && store.Blobs.WithdrawChanged(name, status))
        {
            firstChanged = changed++ == 0 ? PathOf(entry.Name) : firstChanged;
        }

        // By this name or another one that it was given.
        isShared |= store.Blobs.TryStat(name, out FileStatus stored) && stored.LinkCount > 1;
    }

    /// <summary>
    /// A file rewritten while or after it was read has a later time than the reading's start; one dated into the
    /// future can only be compared with its record, to the second.
    /// </summary>
    private bool IsUnchanged(in FileStatus status, in TreeEntry entry)
    {
        bool compareTimes = store.Format.KeepTimes;
        FileMetadata metadata = entry.Metadata;
        return status.Type == TreeMaker.TypeOf(entry.Kind)
            && (entry.Kind != EntryKind.Regular || status.Size == entry.Size)
            && (status.Mode, status.Uid, status.Gid) == (metadata.Mode, metadata.Uid, metadata.Gid)
            && (!compareTimes || status.ModifyTime.Seconds == metadata.ModifyTime)
            && (status.ModifyTime < tree.Started || (compareTimes && metadata.ModifyTime > tree.Started.Seconds));
    }

    private void ThrowIfChanged(string outcome)
    {
        if (changed > 0)
        {
            string files = changed == 1 ? firstChanged : $"{firstChanged} and {changed - 1} more";
            throw new StoreException($"{files}: somebody wrote to it while it was moved into the store; it stays here as it is now, its object was removed, and {outcome}");
        }
    }

    private string PathOf(ReadOnlySpan<byte> name) =>
        string.Join('/', levels.Reverse().Skip(1).Select(level => ByteText.Quote(level.Name)).Prepend(path.TrimEnd('/')).Append(ByteText.Quote(name)));

    private sealed class Level(SafeFileHandle directory, byte[] name, TreeCursor start)
    {
        private TreeCursor cursor = start;

        public SafeFileHandle Directory => directory;

        public byte[] Name => name;

        public bool Next(out TreeEntry entry) => cursor.Next(out entry);
    }
}
