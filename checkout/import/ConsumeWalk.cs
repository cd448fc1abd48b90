using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Walks through a consumed directory and through the tree that was committed of it, side by side. It either checks that no file changed,
/// or removes exactly the files and directories that the commit has. Names that are not in the commit stay, and so do changed files. The
/// directories above them stay too.
/// </summary>
internal sealed class ConsumeWalk
{
    private readonly ObjectStore store;
    private readonly Digest tree;
    private readonly FileTime started;
    private readonly Adoption? adoption;
    private readonly string path;
    private readonly Stack<Level> levels = new();
    private readonly DirectoryReader reader = new();
    private ConsumeResult result = new();

    /// <param name="store">The store.</param>
    /// <param name="tree">The commit's tree.</param>
    /// <param name="started">The time at which the reading of the directory began, by the clock that sets files' times.</param>
    /// <param name="adoption">The adoption by which files became objects; null if they were copied.</param>
    /// <param name="path">The directory's path in messages.</param>
    internal ConsumeWalk(ObjectStore store, Digest tree, FileTime started, Adoption? adoption, string path)
    {
        this.store = store;
        this.tree = tree;
        this.started = started;
        this.adoption = adoption;
        this.path = path;
    }

    private delegate void EntryAction(Level level, in TreeEntry entry);

    /// <summary>Whether an object may share its inode with a file that stayed, or that another process moved away.</summary>
    internal bool IsShared { get; private set; }

    /// <summary>Whether an object may have been given a new inode because its file stayed.</summary>
    internal bool HasSeparated { get; private set; }

    /// <summary>Throws <see cref="StoreException"/> if a file that is an object changed since it was read.</summary>
    internal void RequireUnchanged(SafeFileHandle top) =>
        Walk(DirectoryReader.Reopen(top, path), RequireUnchangedEntry, _ => { });

    /// <summary>Removes the unchanged names of a directory that the commit has. Removes the directory if it is empty afterwards.</summary>
    internal ConsumeResult Remove(SafeFileHandle above, byte[] name)
    {
        Walk(TreeImport.OpenTree(above, name, path, OpenFlags.NoFollow), RemoveEntry, level => RemoveDirectory(level, above, name));
        return result;
    }

    private void Walk(SafeFileHandle top, EntryAction visit, Action<Level> leave)
    {
        levels.Push(new Level(top, [], Cursor(tree)));
        try
        {
            while (levels.TryPeek(out Level? level))
            {
                if (!level.Next(out TreeEntry entry))
                {
                    levels.Pop();
                    using SafeFileHandle directory = level.Directory;
                    leave(level);
                }
                else if (entry.IsDirectory)
                {
                    Enter(level, entry);
                }
                else
                {
                    visit(level, entry);
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
    }

    private void Enter(Level level, in TreeEntry entry)
    {
        Errno errno = Sys.Open(level.Directory, entry.Name, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle child);
        if (errno == Errno.None)
        {
            levels.Push(new Level(child, entry.Name.ToArray(), Cursor(entry.Digest)));
            return;
        }

        // Another process may have moved the directory away, with files in it that are objects.
        IsShared = true;
        if (errno is Errno.ENOTDIR or Errno.ELOOP)
        {
            KeepChanged(level, entry.Name);
        }
        else if (errno != Errno.ENOENT)
        {
            KeepFailed(level, errno, "openat", PathOf(entry.Name));
        }
    }

    private void RequireUnchangedEntry(Level level, in TreeEntry entry)
    {
        if (entry.Kind == EntryKind.Regular
            && Sys.Stat(level.Directory, entry.Name, out FileStatus status) == Errno.None
            && !IsUnchanged(status, entry)
            && adoption?.IsObject(entry, status) == true)
        {
            throw new StoreException(
                $"{PathOf(entry.Name)}: somebody wrote to it while it was moved into the store; nothing was committed, and the tree goes back to its place",
                new Remedy.LeaveTreeAlone());
        }
    }

    private void RemoveEntry(Level level, in TreeEntry entry)
    {
        Errno errno = Sys.Stat(level.Directory, entry.Name, out FileStatus status);
        bool mayBeObject = adoption is not null && entry.Kind == EntryKind.Regular;
        if (errno == Errno.ENOENT)
        {
            IsShared |= mayBeObject && adoption!.HasOtherName(entry);
        }
        else if (errno != Errno.None)
        {
            IsShared |= mayBeObject;
            KeepFailed(level, errno, "statx", PathOf(entry.Name));
        }
        else if (!IsUnchanged(status, entry))
        {
            KeepChanged(level, entry.Name);
            Separate(entry, status);
        }
        else if (entry.Kind == EntryKind.Regular)
        {
            RemoveFile(level, entry, status);
        }
        else
        {
            Unlink(level, entry.Name);
        }
    }

    /// <summary>Removes a file, unless a process has it open for writing: the data that the process writes would be lost.</summary>
    private void RemoveFile(Level level, in TreeEntry entry, in FileStatus status)
    {
        Errno errno = Sys.Open(level.Directory, entry.Name, OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking, out SafeFileHandle file);
        using (file)
        {
            if (errno != Errno.None)
            {
                KeepFailed(level, errno, "openat", PathOf(entry.Name));
                Separate(entry, status);
            }
            else if (adoption is not null && status.LinkCount > 1)
            {
                RemoveAdopted(level, entry, file, status);
            }
            else if (Sys.ProbeForWriters(file) == Errno.EAGAIN)
            {
                KeepInUse(level, entry.Name);
            }
            else
            {
                Unlink(level, entry.Name);
            }
        }
    }

    /// <summary>
    /// Removes a file that may be an object. The file is checked after its name is removed, when no process can open it by that name. If it
    /// has changed or is in use, it gets its name again.
    /// </summary>
    private void RemoveAdopted(Level level, in TreeEntry entry, SafeFileHandle file, in FileStatus status)
    {
        if (!Unlink(level, entry.Name))
        {
            Separate(entry, status);
            return;
        }

        // Writers are looked for first, then the times: a writer that has just closed the file has changed its times.
        bool isInUse = Sys.ProbeForWriters(file) != Errno.None;
        Sys.Stat(file, out FileStatus after).ThrowIfFailed("statx", path);
        bool isUnchanged = IsUnchanged(after, entry);
        if (isInUse || !isUnchanged)
        {
            // The inode still exists, because it has the object's name.
            Sys.LinkOpenFile(file, level.Directory, entry.Name).ThrowIfFailed("linkat", path);
            if (isUnchanged)
            {
                KeepInUse(level, entry.Name);
            }
            else
            {
                KeepChanged(level, entry.Name);
            }
        }

        if (isInUse || !isUnchanged || after.LinkCount > 1)
        {
            Separate(entry, after);
        }
    }

    /// <summary>If a file that stays shares its inode with an object, gives the object a new inode.</summary>
    private void Separate(in TreeEntry entry, in FileStatus status)
    {
        if (adoption is null || entry.Kind != EntryKind.Regular || !adoption.IsObject(entry, status))
        {
            return;
        }

        HasSeparated = true;
        if (!adoption.TrySeparate(entry, status))
        {
            IsShared = true;
            result = result with { Damaged = result.Damaged + 1, FirstDamaged = result.FirstDamaged ?? PathOf(entry.Name) };
        }
    }

    private bool Unlink(Level level, ReadOnlySpan<byte> name)
    {
        Errno errno = Sys.Unlink(level.Directory, name);
        if (errno is Errno.None or Errno.ENOENT)
        {
            return true;
        }

        KeepFailed(level, errno, "unlinkat", PathOf(name));
        return false;
    }

    /// <summary>
    /// Removes a directory that the walk has left. If it is not empty, counts the names in it that stay and were not counted yet.
    /// </summary>
    private void RemoveDirectory(Level level, SafeFileHandle above, byte[] name)
    {
        levels.TryPeek(out Level? parent);
        Errno errno = parent is null ? Sys.RemoveDirectory(above, name) : Sys.RemoveDirectory(parent.Directory, level.Name);
        if (errno is Errno.ENOTEMPTY or Errno.EEXIST)
        {
            long names = 0;
            for (reader.Start(level.Directory, path); reader.Next();)
            {
                names++;
            }

            result = result with { LeftOut = result.LeftOut + Math.Max(0, names - level.Kept) };
            Keep(parent);
        }
        else if (errno is not (Errno.None or Errno.ENOENT))
        {
            KeepFailed(parent, errno, "unlinkat", parent is null ? path : PathOf(level.Name));
        }
    }

    /// <summary>
    /// Whether a name is what the commit has. A file that was written to during or after the reading has a time that is later than the
    /// start of the reading. If the file's recorded time is in the future, its time can only be compared with the record, to the second.
    /// </summary>
    private bool IsUnchanged(in FileStatus status, in TreeEntry entry)
    {
        bool compareTimes = store.Format.KeepTimes;
        FileMetadata metadata = entry.Metadata;
        return status.Type == ObjectInode.TypeOf(entry.Kind)
            && (entry.Kind != EntryKind.Regular || status.Size == entry.Size)
            && (status.Mode, status.Uid, status.Gid) == (metadata.Mode, metadata.Uid, metadata.Gid)
            && (!compareTimes || status.ModifyTime.Seconds == metadata.ModifyTime)
            && (status.ModifyTime < started || (compareTimes && metadata.ModifyTime > started.Seconds));
    }

    private void KeepChanged(Level level, ReadOnlySpan<byte> name)
    {
        result = result with { Changed = result.Changed + 1, FirstChanged = result.FirstChanged ?? PathOf(name) };
        Keep(level);
    }

    private void KeepInUse(Level level, ReadOnlySpan<byte> name)
    {
        result = result with { InUse = result.InUse + 1, FirstInUse = result.FirstInUse ?? PathOf(name) };
        Keep(level);
    }

    private void KeepFailed(Level? level, Errno errno, string call, string subject)
    {
        result = result with { Failed = result.Failed + 1, FirstFailure = result.FirstFailure ?? new LinuxException(errno, call, subject) };
        Keep(level);
    }

    private static void Keep(Level? level)
    {
        if (level is not null)
        {
            level.Kept++;
        }
    }

    private TreeCursor Cursor(Digest digest) => new(store.Packs.ReadTree(digest));

    private string PathOf(ReadOnlySpan<byte> name) =>
        string.Join('/', levels.Reverse().Skip(1).Select(level => ByteText.Quote(level.Name)).Prepend(path).Append(ByteText.Quote(name)));

    /// <summary>A directory that the walk has entered and not left yet.</summary>
    private sealed class Level(SafeFileHandle directory, byte[] name, TreeCursor start)
    {
        private TreeCursor cursor = start;

        public SafeFileHandle Directory => directory;

        public byte[] Name => name;

        /// <summary>The number of names in the directory that stay and that were counted with their reason.</summary>
        public long Kept { get; set; }

        public bool Next(out TreeEntry entry) => cursor.Next(out entry);
    }
}
