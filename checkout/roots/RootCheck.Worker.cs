using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>This file has the work of each thread: one directory after another.</summary>
public sealed partial class RootCheck
{
    /// <summary>A directory of the root, and the tree that it was made from. It stays open until every directory below it is done.</summary>
    private sealed class CheckedDirectory(CheckedDirectory? parent, in TreeEntry made, RootFaults faults, bool isTouched)
        : TreeDirectory<CheckedDirectory>(parent, made.Name.ToArray())
    {
        internal Digest Tree { get; } = made.Digest;

        /// <summary>How its mode and owner differ.</summary>
        internal RootFaults Faults => faults;

        internal bool IsTouched => isTouched;

        /// <summary>The attributes it was made with, in the form of inodes; they are needed only if the directory was touched.</summary>
        internal byte[] Xattrs { get; } = isTouched ? made.Xattrs.ToArray() : [];

        internal SafeFileHandle? Handle { get; set; }
    }

    /// <summary>The state of one thread.</summary>
    private sealed class Worker(RootCheck check)
    {
        private const OpenFlags ReadFlags = OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking;

        private readonly DirectoryReader reader = new();
        private readonly Xattrs xattrs = new();
        private readonly TreeBuffer buffer = new();
        private readonly byte[] target = new byte[4096];
        private readonly ObjectStore store = check.store;

        internal void Process(CheckedDirectory directory)
        {
            Open(directory);
            Tree made = store.Packs.ReadTree(directory.Tree, buffer);
            if (directory.IsTouched)
            {
                FindAdded(directory, new TreeIndex(made));
            }

            foreach (TreeEntry entry in made)
            {
                if (!check.IsLeftOut(directory, entry.Name))
                {
                    store.Stop.ThrowIfCancellationRequested();
                    Compare(directory, entry);
                }
            }

            Interlocked.Add(ref check.names, made.Count);
            for (CheckedDirectory? done = directory; done is not null && done.FinishOne(); done = done.Parent)
            {
                done.Handle?.Dispose();
            }
        }

        private void Open(CheckedDirectory directory)
        {
            if (directory.Handle is null)
            {
                Sys.Open(directory.Parent!.Handle!, directory.Name, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle handle)
                    .ThrowIfFailed("openat", directory.Subject(check.Path, default));
                directory.Handle = handle;
            }

            bool hasXattrs = !directory.IsTouched || check.HasXattrs(directory.Handle, directory.Xattrs, xattrs);
            RootFaults faults = directory.Faults | (hasXattrs ? RootFaults.None : RootFaults.Attributes);
            if (faults != RootFaults.None)
            {
                check.Report(new RootChange(ChangeKind.Modified, directory.PathOf(default), FileType.Directory, faults, Damaged: null));
            }
        }

        private void FindAdded(CheckedDirectory directory, TreeIndex made)
        {
            reader.Start(directory.Handle!, check.Path);
            while (reader.Next())
            {
                if (made.Find(reader.Name).Exists)
                {
                    continue;
                }

                Errno errno = Sys.Stat(directory.Handle!, reader.Name, out FileStatus status);
                if (errno == Errno.None
                    && !check.IsOwnImage(directory, reader.Name)
                    && !check.IsMountPoint(directory, reader.Name, status.Type)
                    && !check.IsInitrd(directory, made, reader.Name, status.Type))
                {
                    check.Report(new RootChange(ChangeKind.Added, directory.PathOf(reader.Name), status.Type, RootFaults.None, Damaged: null));
                }
            }
        }

        private void Compare(CheckedDirectory directory, in TreeEntry made)
        {
            Errno errno = Sys.Stat(directory.Handle!, made.Name, out FileStatus status);
            bool isDevice = made.Kind is EntryKind.CharacterDevice or EntryKind.BlockDevice;
            if (errno == Errno.ENOENT)
            {
                // An ordinary user's checkout makes no device nodes.
                if (!isDevice || !store.Format.UserMode)
                {
                    FileType type = ObjectInode.TypeOf(made.Kind);
                    check.Report(new RootChange(ChangeKind.Removed, directory.PathOf(made.Name), type, RootFaults.None, Damaged: null));
                }

                return;
            }

            errno.ThrowIfFailed("statx", directory.Subject(check.Path, made.Name));
            if (status.Type != ObjectInode.TypeOf(made.Kind))
            {
                check.Report(new RootChange(ChangeKind.TypeChanged, directory.PathOf(made.Name), status.Type, RootFaults.None, Damaged: null));
            }
            else if (status.IsMountRoot)
            {
                // What is mounted there is no part of the root.
            }
            else if (made.Kind == EntryKind.Directory)
            {
                directory.Expect();
                check.work.Push(new CheckedDirectory(directory, made, check.MetadataFaults(made, status), check.IsTouched(status, made)));
            }
            else
            {
                CompareFile(directory, made, status);
            }
        }

        private void CompareFile(CheckedDirectory directory, in TreeEntry made, in FileStatus status)
        {
            RootFaults faults = check.MetadataFaults(made, status);
            switch (made.Kind)
            {
                case EntryKind.Regular:
                    faults |= status.Size == made.Size ? RootFaults.None : RootFaults.Size | RootFaults.Content;
                    faults |= HasTime(made.Metadata.ModifyTime, status.ModifyTime) ? RootFaults.None : RootFaults.Time;

                    // A program can set all of these back, but not the change time.
                    faults |= check.IsLater(status) || faults != RootFaults.None ? ReadFaults(directory, made, status) : RootFaults.None;
                    break;
                case EntryKind.Symlink when check.IsLater(status):
                    Sys.ReadLink(directory.Handle!, made.Name, target, out int length).ThrowIfFailed("readlinkat", directory.Subject(check.Path, made.Name));
                    faults |= target.AsSpan(0, length).SequenceEqual(made.Target) ? RootFaults.None : RootFaults.Target;
                    break;
                case EntryKind.CharacterDevice or EntryKind.BlockDevice:
                    faults |= (status.DeviceMajor, status.DeviceMinor) == (made.DeviceMajor, made.DeviceMinor) ? RootFaults.None : RootFaults.Target;
                    break;
            }

            if (faults != RootFaults.None)
            {
                check.Report(new RootChange(ChangeKind.Modified, directory.PathOf(made.Name), status.Type, faults, DamagedObject(made, status)));
            }
        }

        private RootFaults ReadFaults(CheckedDirectory directory, in TreeEntry made, in FileStatus status)
        {
            string subject = directory.Subject(check.Path, made.Name);
            Sys.Open(directory.Handle!, made.Name, ReadFlags, out SafeFileHandle file).ThrowIfFailed("openat", subject);
            using (file)
            {
                bool isSame = status.Size == made.Size && Blobs.HashFile(file, status, subject, store.Stop) == made.Digest;
                return (isSame ? RootFaults.None : RootFaults.Content) | (check.HasXattrs(file, made.Xattrs, xattrs) ? RootFaults.None : RootFaults.Attributes);
            }
        }

        /// <summary>The object that the file is a name of, although it was changed; null if the file is a copy, or was replaced.</summary>
        private ObjectName? DamagedObject(in TreeEntry made, in FileStatus status)
        {
            if (made.Kind != EntryKind.Regular)
            {
                return null;
            }

            ObjectName name = store.Blobs.NameOf(made);
            return store.Blobs.TryStat(name, out FileStatus found) && (found.Device, found.Inode) == (status.Device, status.Inode) ? name : null;
        }

        /// <summary>Whether a time is the recorded one. Filesystems replace times that they cannot hold, so those are not compared.</summary>
        private static bool HasTime(long made, FileTime found) => found == new FileTime(made, 0) || made is < int.MinValue or > int.MaxValue;
    }
}
