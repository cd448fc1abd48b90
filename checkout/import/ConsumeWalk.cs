using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Goes through a consumed directory beside the tree that was committed of it: to see that nothing changed, or to remove exactly what the commit holds.
/// What is not in the commit, or has changed since, stays, and with it the directories above.
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
    /// <param name="started">When the reading of the directory began, by the clock that dates files.</param>
    /// <param name="adoption">How files of it became objects; null if they were copied.</param>
    /// <param name="path">The directory in messages.</param>
    internal ConsumeWalk(ObjectStore store, Digest tree, FileTime started, Adoption? adoption, string path)
    {
        this.store = store;
        this.tree = tree;
        this.started = started;
        this.adoption = adoption;
        this.path = path;
    }

    private delegate void EntryAction(Level level, in TreeEntry entry);

    /// <summary>Whether an object may share its inode with a file that stayed, or that somebody took away.</summary>
    internal bool IsShared { get; private set; }

    /// <summary>Whether an object may have got an inode of its own because its file stayed.</summary>
    internal bool HasSeparated { get; private set; }

    /// <summary>Throws <see cref="StoreException"/> if a file that is an object was changed since it was read.</summary>
    internal void RequireUnchanged(SafeFileHandle top) =>
        Walk(DirectoryReader.Reopen(top, path), RequireUnchangedEntry, _ => { });

    /// <summary>Removes what the commit holds of a directory, and the directory if it is empty then.</summary>
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

        // Somebody may have moved it away, with files in it that are objects.
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

    /// <summary>Removes a file unless somebody has it open for writing: what that process writes would be lost.</summary>
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

    /// <summary>Removes a file that may be an object; it is looked at when nobody can open it by its name any more.</summary>
    private void RemoveAdopted(Level level, in TreeEntry entry, SafeFileHandle file, in FileStatus status)
    {
        if (!Unlink(level, entry.Name))
        {
            Separate(entry, status);
            return;
        }

        // First the writers, then the look: what a writer did that is gone by now shows in the times.
        bool isInUse = Sys.ProbeForWriters(file) != Errno.None;
        Sys.Stat(file, out FileStatus after).ThrowIfFailed("statx", path);
        bool isUnchanged = IsUnchanged(after, entry);
        if (isInUse || !isUnchanged)
        {
            // The object's name has kept the inode.
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

    /// <summary>Parts a file that stays from the object whose inode it is.</summary>
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

    /// <summary>Removes a directory that the walk has left; counts what keeps it.</summary>
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

    /// <summary>A directory that the walk is in.</summary>
    private sealed class Level(SafeFileHandle directory, byte[] name, TreeCursor start)
    {
        private TreeCursor cursor = start;

        public SafeFileHandle Directory => directory;

        public byte[] Name => name;

        /// <summary>Names in it that stay for a reason that was counted.</summary>
        public long Kept { get; set; }

        public bool Next(out TreeEntry entry) => cursor.Next(out entry);
    }
}
