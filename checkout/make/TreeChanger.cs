using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Turns a root that was made from one tree into another tree, by their difference. What nobody touched since it was made
/// is known from the old tree and costs one statx(2) for each directory, none for each file. How a touched directory is noticed:
/// <list type="bullet">
/// <item>A change of its names or metadata sets its change time, which no program can set back. One that is later than
/// <see cref="RootRecord.SealedAt"/>, or a modification time that is not the recorded one, means touched: its names are listed, and
/// each file compared with its object by inode.</item>
/// <item>A directory that was renamed has a new change time itself, but those below it have not. To be renamed, the directory
/// above must have been touched: so where both are, nothing is believed of what is below.</item>
/// </list>
/// What is written into a file goes to the store's object, which no root can notice: fsck does.
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

    /// <summary>Names that were made or removed.</summary>
    internal long Changes => changes;

    /// <summary>
    /// Changes the open directory <paramref name="top"/>, which is closed then. <paramref name="status"/> is what it was before it was
    /// renamed, which sets its change time.
    /// </summary>
    internal void Run(SafeFileHandle top, in FileStatus status, in TreeEntry before, in TreeEntry after)
    {
        ChangedDirectory directory = ChangedDirectory.Of(null, before, after, IsTouched(status, before));
        directory.Handle = top;
        work.Push(directory);
        work.Run(Environment.ProcessorCount, () => new Worker(this).Process);
        maker.Run();
    }

    private bool IsTouched(in FileStatus status, in TreeEntry made) =>
        status.ChangeTime.ToNanoseconds() > sealedAt || status.ModifyTime != new FileTime(made.Metadata.ModifyTime, 0);

    /// <summary>What one thread needs for itself.</summary>
    private sealed class Worker(TreeChanger changer)
    {
        private readonly DirectoryReader reader = new();
        private readonly Xattrs xattrs = new();
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
                // In an ordinary user's store there may be directories that their owner must not write to, or look into.
                directory.Require(DirectoryEnd.Metadata);
                errno = Sys.Open(parent, directory.Name, OpenDirectory, out handle);
            }

            Require(errno, "openat", directory, default);
            directory.Handle = handle;
        }

        /// <summary>Nothing changes here; directories below may have been touched.</summary>
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
            var trees = new TreePair(changer.store.Packs.ReadTree(directory.Before, beforeBuffer), changer.store.Packs.ReadTree(directory.After, afterBuffer));
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

        /// <summary>Compares the names that are there with those that are to be.</summary>
        private void Repair(ChangedDirectory directory)
        {
            List<byte[]> present = List(directory);
            Tree old = directory.Plan == DirectoryPlan.Rebuild ? Tree.Empty : changer.store.Packs.ReadTree(directory.Before, beforeBuffer);
            var before = new TreeCursor(old);
            bool hasOld = before.Next(out TreeEntry oldEntry);
            int next = 0;
            foreach (TreeEntry entry in changer.store.Packs.ReadTree(directory.After, afterBuffer))
            {
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
                    // Each directory that was begun is open.
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

        /// <summary>Root writes where modes forbid it; an ordinary user must change the mode first.</summary>
        private void MakeWritable(ChangedDirectory directory)
        {
            if (changer.store.Format.UserMode && (directory.Metadata.Mode & FileModes.OwnerOnly) != FileModes.OwnerOnly && directory.End != DirectoryEnd.Metadata)
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
                names.Add(reader.Name.ToArray());
            }

            names.Sort(static (x, y) => x.AsSpan().SequenceCompareTo(y));
            return names;
        }

        /// <summary>Goes on with a directory below, unless it is as it was made, is to stay so, and has none below itself.</summary>
        private void Visit(ChangedDirectory directory, in FileStatus status, in TreeEntry before, in TreeEntry after)
        {
            // Two links are its name and its ".": a directory in it would add a "..". btrfs says 1 for all.
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

        /// <summary>Gives a directory its metadata once all below it is done: until then its owner must be able to go into it.</summary>
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
