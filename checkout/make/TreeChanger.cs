using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Turns a root that was made from one tree into another tree, by their difference. Directories that nobody touched are known from the old tree:
/// they cost one statx(2) for each directory, and nothing for each file. A touched directory is noticed as follows:
/// <list type="bullet">
/// <item>A change of its names or metadata sets its change time, which no program can set back. A change time later than
/// <see cref="RootRecord.SealedAt"/>, or a modification time other than the recorded one, means that the directory was touched. Then its
/// names are listed, and each file is compared with its object by inode.</item>
/// <item>A renamed directory has a new change time, but directories below it do not. A renaming also touches the directory above. So if both are
/// touched, nothing below is taken as known.</item>
/// </list>
/// Writing into a file changes the store's object, and no directory shows that; fsck notices it.
/// </summary>
internal sealed class TreeChanger
{
    private const OpenFlags OpenDirectory = OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow;
    private const int MostBegun = 256;

    private readonly ObjectStore store;
    private readonly TreeMaker maker;
    private readonly string path;
    private readonly long sealedAt;
    private readonly Progress? progress;
    private readonly WorkStack<ChangedDirectory> work;
    private long changes;
    private int begun;

    internal TreeChanger(ObjectStore store, TreeMaker maker, string path, long sealedAt, Progress? progress, CancellationToken stop)
    {
        this.store = store;
        this.maker = maker;
        this.path = path;
        this.sealedAt = sealedAt;
        this.progress = progress;
        work = new WorkStack<ChangedDirectory>(stop);
    }

    /// <summary>Whether /etc of the top is left out, and the top is listed even if nobody touched it: it may have mount points beside its tree.</summary>
    internal bool LeavesEtc { get; init; }

    /// <summary>The number of names that were made or removed.</summary>
    internal long Changes => changes;

    /// <summary>
    /// Changes the open directory <paramref name="top"/> and closes it. <paramref name="status"/> is its status before it was renamed,
    /// because renaming sets the change time.
    /// </summary>
    internal void Run(SafeFileHandle top, in FileStatus status, in TreeEntry before, in TreeEntry after)
    {
        ChangedDirectory directory = ChangedDirectory.Of(null, before, after, LeavesEtc || IsTouched(status, before));
        directory.Handle = top;
        work.Push(directory);
        work.Run(Environment.ProcessorCount, () => new Worker(this).Process);
        maker.Run();
    }

    private bool IsTouched(in FileStatus status, in TreeEntry made) =>
        status.ChangeTime.ToNanoseconds() > sealedAt || status.ModifyTime != new FileTime(made.Metadata.ModifyTime, 0);

    private bool IsLeftOut(ChangedDirectory directory, ReadOnlySpan<byte> name) => LeavesEtc && directory.Parent is null && name.SequenceEqual("etc"u8);

    /// <summary>The buffers of one thread.</summary>
    private sealed class Worker(TreeChanger changer)
    {
        private readonly DirectoryReader reader = new();
        private readonly Xattrs xattrs = new(changer.store.Format);
        private readonly TreeBuffer beforeBuffer = new();
        private readonly TreeBuffer afterBuffer = new();

        internal void Process(ChangedDirectory directory)
        {
            Open(directory);
            switch (directory.Plan)
            {
                case DirectoryPlan.Descend:
                    Descend(directory);
                    break;
                case DirectoryPlan.Change:
                    Change(directory);
                    break;
                default:
                    Repair(directory);
                    break;
            }

            for (ChangedDirectory? done = directory; done is not null && done.FinishOne(); done = done.Parent)
            {
                Complete(done);
            }
        }

        private void Open(ChangedDirectory directory)
        {
            if (directory.Handle is not null)
            {
                return;
            }

            SafeFileHandle parent = directory.Parent!.Handle!;
            Errno errno = Sys.Open(parent, directory.Name, OpenDirectory, out SafeFileHandle handle);
            if (errno == Errno.EACCES && Sys.SetMode(parent, directory.Name, FileModes.OwnerOnly) == Errno.None)
            {
                // In an ordinary user's store, an owner may lack the right to write to a directory or to look into it.
                directory.Require(DirectoryEnd.Metadata);
                errno = Sys.Open(parent, directory.Name, OpenDirectory, out handle);
            }

            Require(errno, "openat", directory, default);
            directory.Handle = handle;
        }

        /// <summary>Leaves the names as they are, and looks at the directories below, which may have been touched.</summary>
        private void Descend(ChangedDirectory directory)
        {
            foreach (TreeEntry entry in changer.store.Packs.ReadTree(directory.After, afterBuffer))
            {
                if (entry.IsDirectory)
                {
                    Visit(directory, StatusOf(directory, entry.Name), entry, entry);
                }
            }
        }

        /// <summary>Applies the difference of two trees to a directory that is as it was made.</summary>
        private void Change(ChangedDirectory directory)
        {
            Tree old = changer.store.Packs.ReadTree(directory.Before, beforeBuffer);
            var trees = new TreePair(old, changer.store.Packs.ReadTree(directory.After, afterBuffer));
            while (trees.Next(out TreeEntry before, out TreeEntry after))
            {
                if (before.IsDirectory && after.IsDirectory)
                {
                    Visit(directory, StatusOf(directory, after.Name), before, after);
                }
                else
                {
                    Replace(directory, before.Name, after);
                }
            }
        }

        /// <summary>Compares the names in the directory with those of the new tree.</summary>
        private void Repair(ChangedDirectory directory)
        {
            List<byte[]> present = List(directory);
            Tree old = directory.Plan == DirectoryPlan.Rebuild ? Tree.Empty : changer.store.Packs.ReadTree(directory.Before, beforeBuffer);
            var before = new TreeCursor(old);
            bool hasOld = before.Next(out TreeEntry oldEntry);
            int next = 0;
            foreach (TreeEntry entry in changer.store.Packs.ReadTree(directory.After, afterBuffer))
            {
                if (changer.IsLeftOut(directory, entry.Name))
                {
                    continue;
                }

                for (; next < present.Count && present[next].AsSpan().SequenceCompareTo(entry.Name) < 0; next++)
                {
                    Replace(directory, present[next], default);
                }

                while (hasOld && oldEntry.Name.SequenceCompareTo(entry.Name) < 0)
                {
                    hasOld = before.Next(out oldEntry);
                }

                bool isPresent = next < present.Count && entry.Name.SequenceEqual(present[next]);
                bool isKnown = hasOld && oldEntry.IsDirectory && oldEntry.Name.SequenceEqual(entry.Name);
                RepairEntry(directory, isPresent, isKnown ? oldEntry : default, entry);
                next += isPresent ? 1 : 0;
            }

            for (; next < present.Count; next++)
            {
                Replace(directory, present[next], default);
            }
        }

        private void RepairEntry(ChangedDirectory directory, bool isPresent, in TreeEntry old, in TreeEntry entry)
        {
            FileStatus status = isPresent ? StatusOf(directory, entry.Name) : default;
            bool staysDirectory = isPresent && entry.IsDirectory && status.Type == FileType.Directory;
            if (staysDirectory && old.Exists)
            {
                Visit(directory, status, old, entry);
            }
            else if (staysDirectory)
            {
                Push(directory, ChangedDirectory.Unknown(directory, entry));
            }
            else if (!isPresent || entry.Kind != EntryKind.Regular || !changer.store.Blobs.IsInode(changer.store.Blobs.NameOf(entry), status))
            {
                Replace(directory, isPresent ? entry.Name : default, entry);
            }
        }

        /// <summary>Removes a name, makes an entry, or both.</summary>
        private void Replace(ChangedDirectory directory, ReadOnlySpan<byte> removed, in TreeEntry made)
        {
            directory.Require(DirectoryEnd.Time);
            MakeWritable(directory);
            if (!removed.IsEmpty)
            {
                Remove(directory, removed);
            }

            if (made.Exists)
            {
                changer.maker.Begin(directory.Handle!, made.Name, made);
                if (made.IsDirectory && Interlocked.Increment(ref changer.begun) % MostBegun == 0)
                {
                    // Each begun directory is open, so their number is limited.
                    changer.maker.RunHere();
                }
            }

            Interlocked.Increment(ref changer.changes);
            changer.progress?.Add(made.Size);
        }

        private void Remove(ChangedDirectory directory, ReadOnlySpan<byte> name)
        {
            if (Sys.Unlink(directory.Handle!, name) != Errno.None)
            {
                TreeRemoval.Remove(directory.Handle!, name, directory.Subject(changer.path, name));
            }
        }

        /// <summary>Makes a directory writable. Root can write in spite of modes; an ordinary user must change the mode first.</summary>
        private void MakeWritable(ChangedDirectory directory)
        {
            bool isWritable = (directory.Metadata.Mode & FileModes.OwnerOnly) == FileModes.OwnerOnly;
            if (changer.store.Format.UserMode && !isWritable && directory.End != DirectoryEnd.Metadata)
            {
                Require(Sys.SetMode(directory.Handle!, FileModes.OwnerOnly), "fchmod", directory, default);
                directory.Require(DirectoryEnd.Metadata);
            }
        }

        private List<byte[]> List(ChangedDirectory directory)
        {
            var names = new List<byte[]>();
            reader.Start(directory.Handle!, directory.Subject(changer.path, default));
            while (reader.Next())
            {
                if (!changer.IsLeftOut(directory, reader.Name))
                {
                    names.Add(reader.Name.ToArray());
                }
            }

            names.Sort(static (x, y) => x.AsSpan().SequenceCompareTo(y));
            return names;
        }

        /// <summary>Goes on with a directory below, unless it is untouched, stays the same, and has no directories below it.</summary>
        private void Visit(ChangedDirectory directory, in FileStatus status, in TreeEntry before, in TreeEntry after)
        {
            // A directory without subdirectories has two links: its name and its ".". Each subdirectory adds a "..". btrfs says 1 for all.
            bool isTouched = changer.IsTouched(status, before);
            if (isTouched || status.LinkCount != 2 || !before.SameAs(after))
            {
                Push(directory, ChangedDirectory.Of(directory, before, after, isTouched));
            }
        }

        private FileStatus StatusOf(ChangedDirectory directory, ReadOnlySpan<byte> name)
        {
            Require(Sys.Stat(directory.Handle!, name, out FileStatus status), "statx", directory, name);
            return status;
        }

        private void Push(ChangedDirectory directory, ChangedDirectory child)
        {
            directory.Expect();
            changer.work.Push(child);
        }

        /// <summary>
        /// Sets a directory's metadata after all directories below it are done, because its owner must be able to enter it until then.
        /// </summary>
        private void Complete(ChangedDirectory directory)
        {
            using SafeFileHandle handle = directory.Handle!;
            if (directory.End == DirectoryEnd.Metadata)
            {
                SetMetadata(directory, handle, directory.Subject(changer.path, default));
            }
            else if (directory.End == DirectoryEnd.Time)
            {
                Require(Sys.SetTime(handle, directory.Metadata.ModifyTime), "futimens", directory, default);
            }
        }

        private void SetMetadata(ChangedDirectory directory, SafeFileHandle handle, string subject)
        {
            ReadOnlySpan<byte> attributes = changer.store.Format.ObjectXattrs(directory.Xattrs);
            xattrs.RemoveOthers(handle, attributes, subject);
            ObjectInode.SetMetadata(changer.store.Format, handle, directory.Metadata, attributes, subject);
        }

        private void Require(Errno errno, string call, ChangedDirectory directory, ReadOnlySpan<byte> name)
        {
            if (errno != Errno.None)
            {
                throw new LinuxException(errno, call, directory.Subject(changer.path, name));
            }
        }
    }
}
