using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>This file has the work of each thread: one directory after another.</summary>
public sealed partial class TreeImport
{
    /// <summary>The state of one thread.</summary>
    private sealed partial class Worker(TreeImport import, Xattrs xattrs)
    {
        private const OpenFlags ReadFlags = OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking;

        private readonly DirectoryReader reader = new();
        private readonly KnownXattrs knownXattrs = new(xattrs, import.seesAllXattrs);
        private readonly byte[] buffer = GC.AllocateUninitializedArray<byte>(Blobs.BufferSize);
        private readonly byte[] target = new byte[4096];
        private readonly TreeBuffer checkedOutBuffer = new();

        // A consumed tree does not use the cache. A file that becomes an object gets a new change time, so its entry would never be found
        // again.
        private readonly StatCache.Reader? cache = import.options.Consume is null ? import.cache.NewSession() : null;
        private TreeIndex? checkedOut;
        private TreeIndex? over;
        private ImportDirectory? current;

        /// <summary>The path of the current entry or directory, for errors. The text is made only if there is an error.</summary>
        public override string ToString() => Subject(current!, reader.Name);

        public void Process(ImportDirectory directory)
        {
            current = directory;
            directory.Open(this);
            Sys.Stat(directory.Handle, out FileStatus status).ThrowIfFailed("statx", this);
            cache?.Enter(directory.Handle, status);
            directory.Metadata = MetadataOf(directory, default, status);
            directory.Xattrs = Settled(ReadXattrs(directory.Handle), directory.Metadata);
            RequireHeld(EntryKind.Directory, directory.Metadata, directory.Xattrs);
            checkedOut = directory.CheckedOut.IsNone ? null : new TreeIndex(import.store.Packs.ReadTree(directory.CheckedOut, checkedOutBuffer));
            Tree? stored = StoredBelow(directory);
            over = stored is null ? null : new TreeIndex(stored);
            reader.Start(directory.Handle, this);
            while (reader.Next())
            {
                import.store.Stop.ThrowIfCancellationRequested();
                if (!Matches(import.options.Excludes, directory, reader.Name))
                {
                    Add(directory, reader.Name);
                }
            }

            if (stored is not null)
            {
                KeepStored(directory, stored);
            }

            for (ImportDirectory? done = directory; done is not null && done.FinishOne(); done = done.Parent)
            {
                Complete(done);
            }
        }

        private void Add(ImportDirectory directory, ReadOnlySpan<byte> name)
        {
            RequireThere(Sys.Stat(directory.Handle, name, out FileStatus status), "statx", directory, name);
            switch (status.Type)
            {
                case FileType.CharacterDevice when import.options.Over is not null && OverlayBase.IsDeletion(status):
                    break;
                case FileType.Directory:
                    AddDirectory(directory, name, status);
                    break;
                case var _ when status.IsMountRoot:
                    AddMountedFile(directory, name, status);
                    break;
                case FileType.Regular when Matches(import.options.Emptied, directory, name):
                    AddEmptied(directory, name, status);
                    break;
                case FileType.Regular when TryFindStored(directory, name, status, out Digest known, out byte[] attributes):
                    AddFile(directory, name, status, known, attributes);
                    break;
                case FileType.Regular when TryFindCheckedOut(directory, name, status, out TreeEntry before):
                    AddFile(directory, name, status, before.Digest, before.Xattrs);
                    break;
                case FileType.Regular:
                    ReadFile(directory, name);
                    break;
                case FileType.Symlink:
                    RequireThere(Sys.ReadLink(directory.Handle, name, target, out int length), "readlinkat", directory, name);
                    FileMetadata metadata = MetadataOf(directory, name, status) with { Mode = FileMetadata.SymlinkMode };
                    AddEntry(directory, Special(EntryKind.Symlink, directory, name, metadata, target.AsSpan(0, length), status));
                    break;
                case FileType.CharacterDevice:
                    AddEntry(directory, Special(EntryKind.CharacterDevice, directory, name, MetadataOf(directory, name, status), default, status));
                    break;
                case FileType.BlockDevice:
                    AddEntry(directory, Special(EntryKind.BlockDevice, directory, name, MetadataOf(directory, name, status), default, status));
                    break;
                case FileType.Fifo:
                    AddEntry(directory, Special(EntryKind.Fifo, directory, name, MetadataOf(directory, name, status), default, status));
                    break;
                default:
                    Interlocked.Increment(ref import.sockets);
                    break;
            }
        }

        private void AddDirectory(ImportDirectory directory, ReadOnlySpan<byte> name, in FileStatus status)
        {
            if ((status.Device, status.Inode) == import.storeIdentity)
            {
                import.foundStore = true;
                return;
            }

            TreeEntry before = checkedOut is null ? default : checkedOut.Find(name);
            TreeEntry below = over is null ? default : over.Find(name);
            var child = new ImportDirectory(directory, name.ToArray(), null)
            {
                CheckedOut = before.IsDirectory ? before.Digest : default,
                Over = below.IsDirectory ? below.Digest : default,
                Recorded = below.IsDirectory && import.options.Over!.Checkout is not null ? new RecordedDirectory(below) : null,
            };
            if (!status.IsMountRoot)
            {
                directory.Expect();
                import.work.Push(child);
                return;
            }

            lock (import.mountPoints)
            {
                import.mountPoints.Add(child.Path);
            }

            // The mounted directory belongs to another filesystem. The commit has an empty directory with its metadata instead.
            child.Metadata = MetadataOf(child, default, status);
            RequireHeld(EntryKind.Directory, child.Metadata, default);
            directory.Expect();
            child.FinishOne();
            Complete(child);
            directory.FinishOne();
        }

        /// <summary>
        /// Adds an empty file for a file that something is mounted on. What is mounted belongs to another tree, and the file below it cannot be
        /// seen. Only the owner may write to the empty file: what is mounted may be a device that everybody can write to.
        /// </summary>
        private void AddMountedFile(ImportDirectory directory, ReadOnlySpan<byte> name, in FileStatus status)
        {
            lock (import.mountedFiles)
            {
                import.mountedFiles.Add(ByteText.Quote(directory.PathOf(name)));
            }

            FileMetadata metadata = MetadataOf(directory, name, status);
            metadata = metadata with { Mode = (ushort)(metadata.Mode & FileModes.Program) };
            AddEntry(directory, new TreeEntry
            {
                Kind = EntryKind.Regular,
                Name = name,
                Metadata = metadata,
                Digest = import.additions?.AddBytes([], metadata, []) ?? Verity.Compute([]),
            });
        }

        /// <summary>
        /// Whether a file need not be read, because the stat cache has its digest and the store its object. Its attributes are read only if no
        /// earlier file had equal ones, and by the file's name, without opening it.
        /// </summary>
        private bool TryFindStored(
            ImportDirectory directory, ReadOnlySpan<byte> name, in FileStatus status, out Digest blob, out byte[] attributes)
        {
            CachedFile known = default;
            attributes = [];
            bool isKnown = cache?.TryFind(status, out known) == true && knownXattrs.TryFind(known.Xattrs, directory.Handle, name, this, out attributes);
            blob = known.Blob;
            if (!isKnown)
            {
                return false;
            }

            FileMetadata metadata = MetadataOf(directory, name, status);
            attributes = Settled(attributes, metadata);
            return import.additions is null || IsThere(import.store.Blobs.NameOf(blob, metadata, attributes), status);
        }

        /// <summary>
        /// Whether a file need not be read, because it is still the inode of the object that it was checked out from, with the object's
        /// metadata.
        /// </summary>
        private bool TryFindCheckedOut(ImportDirectory directory, ReadOnlySpan<byte> name, in FileStatus status, out TreeEntry before)
        {
            before = checkedOut is null ? default : checkedOut.Find(name);
            return before.Kind == EntryKind.Regular
                && before.Size == status.Size
                && before.Metadata == MetadataOf(directory, name, status)
                && before.Xattrs.SequenceEqual(Settled(xattrs.Read(directory.Handle, name, this), before.Metadata))
                && IsObject(import.store.Blobs.NameOf(before), status);
        }

        private bool IsObject(in ObjectName name, in FileStatus status) => import.store.Blobs.IsInode(name, status) && IsThere(name, status);

        private bool IsThere(in ObjectName name, in FileStatus status) => import.store.Blobs.FindKnown(name, status.Size) == ObjectState.There;

        private void ReadFile(ImportDirectory directory, ReadOnlySpan<byte> name)
        {
            RequireThere(Sys.Open(directory.Handle, name, ReadFlags, out SafeFileHandle file), "openat", directory, name);
            using (file)
            {
                FileTime taken = FileTime.Now;
                Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", this);
                if (status.Type != FileType.Regular)
                {
                    throw Changed(directory, name);
                }

                FileMetadata metadata = MetadataOf(directory, name, status);
                byte[] own = ReadXattrs(file), attributes = Settled(own, metadata);
                Digest digest = Store(file, status, metadata, attributes);
                if (import.additions is not null || attributes.Length == 0)
                {
                    // A file with attributes is known only when a commit has compared them with those of its object.
                    cache?.Add(status, new CachedFile(digest, knownXattrs.Record(own)), taken);
                }

                AddFile(directory, name, status, digest, attributes);
            }
        }

        private void AddFile(ImportDirectory directory, ReadOnlySpan<byte> name, in FileStatus status, Digest digest, ReadOnlySpan<byte> attributes)
        {
            Interlocked.Add(ref import.contentBytes, status.Size);
            import.options.Progress?.Add(status.Size);
            AddEntry(directory, new TreeEntry
            {
                Kind = EntryKind.Regular,
                Name = name,
                Metadata = MetadataOf(directory, name, status),
                Xattrs = attributes,
                Size = status.Size,
                Digest = digest,
            });
        }

        /// <summary>Adds a file without its content, which is not read.</summary>
        private void AddEmptied(ImportDirectory directory, ReadOnlySpan<byte> name, in FileStatus status)
        {
            FileMetadata metadata = MetadataOf(directory, name, status);
            byte[] attributes = Settled(xattrs.Read(directory.Handle, name, this), metadata);
            Digest digest;
            try
            {
                digest = import.additions?.AddBytes([], metadata, attributes) ?? Verity.Compute([]);
            }
            catch (UnheldException e)
            {
                throw new UnheldException(ToString(), e.Unheld, isCommit: true);
            }

            import.options.Progress?.Add(0);
            AddEntry(directory, new TreeEntry { Kind = EntryKind.Regular, Name = name, Metadata = metadata, Xattrs = attributes, Digest = digest });
        }

        private Digest Store(SafeFileHandle file, in FileStatus status, FileMetadata metadata, byte[] attributes)
        {
            if (import.additions is not { } additions)
            {
                return Blobs.HashFile(file, status, this, import.store.Stop);
            }

            try
            {
                // A file with attributes that are left out is not what its object must be.
                return import.options.Consume?.Adoption is { } adoption && !xattrs.HasLeftOut
                    ? additions.AdoptFile(adoption, file, status, metadata, attributes, buffer, this)
                    : additions.AddFile(file, status, metadata, attributes, buffer, this);
            }
            catch (UnheldException e)
            {
                throw new UnheldException(ToString(), e.Unheld, isCommit: true);
            }
        }

        private TreeEntry Special(
            EntryKind kind, ImportDirectory directory, ReadOnlySpan<byte> name, FileMetadata metadata, ReadOnlySpan<byte> linkTarget, in FileStatus status)
        {
            bool isDevice = kind is EntryKind.CharacterDevice or EntryKind.BlockDevice;
            return new TreeEntry
            {
                Kind = kind,
                Name = name,
                Metadata = metadata,
                Xattrs = Settled(xattrs.Read(directory.Handle, name, this), metadata),
                Target = linkTarget,
                DeviceMajor = isDevice ? status.DeviceMajor : 0,
                DeviceMinor = isDevice ? status.DeviceMinor : 0,
            };
        }

        private void AddEntry(ImportDirectory directory, in TreeEntry entry)
        {
            if (entry.Kind != EntryKind.Regular)
            {
                RequireHeld(entry.Kind, entry.Metadata, entry.Xattrs);
            }

            AddTo(directory, WithUnshown(entry));
            Interlocked.Increment(ref import.files);
            if (entry.Kind != EntryKind.Regular)
            {
                import.options.Progress?.Add(0);
            }
        }

        /// <summary>Builds the tree of a directory that has all its entries, and adds the directory to the directory above.</summary>
        private void Complete(ImportDirectory directory)
        {
            Tree tree = Build(directory);
            directory.Digest = Tree.DigestOf(tree.Bytes);
            if (import.options.MakesKnownTrees || !import.store.Packs.Contains(directory.Digest))
            {
                import.pack.Add(PackedKind.Tree, directory.Digest, tree.Bytes);
            }

            if (directory.Parent is { } parent)
            {
                AddTo(parent, directory.AsEntry());
            }
        }

        // A name that is removed and made again while the directory is listed may be listed twice.
        private Tree Build(ImportDirectory directory) => directory.TryBuild() ?? throw Changed(directory, default);

        private void AddTo(ImportDirectory directory, in TreeEntry entry)
        {
            if (directory.TryAdd(entry) is { } fault)
            {
                throw new StoreException($"{Subject(directory, entry.Name)}: {fault}");
            }
        }

        private static bool Matches(IReadOnlyList<PathGlob> globs, ImportDirectory directory, ReadOnlySpan<byte> name)
        {
            if (globs.Count == 0)
            {
                return false;
            }

            byte[] path = directory.PathOf(name);
            foreach (PathGlob glob in globs)
            {
                if (glob.Matches(path))
                {
                    return true;
                }
            }

            return false;
        }

        private void RequireThere(Errno errno, string call, ImportDirectory directory, ReadOnlySpan<byte> name)
        {
            if (errno is Errno.ENOENT or Errno.ELOOP or Errno.ENXIO)
            {
                throw Changed(directory, name);
            }

            if (errno != Errno.None)
            {
                throw new LinuxException(errno, call, Subject(directory, name));
            }
        }

        private StoreException Changed(ImportDirectory directory, ReadOnlySpan<byte> name) =>
            new($"{Subject(directory, name)}: it changed while it was read; commit a tree that nobody writes to");

        private string Subject(ImportDirectory directory, ReadOnlySpan<byte> name) => directory.Subject(import.source, name);
    }
}
