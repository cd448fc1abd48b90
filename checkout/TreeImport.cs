using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Reads a directory into a store: every file that is new there is stored, and each directory becomes a tree in a pack.
/// Directories are work for every core; a tree is built when the last directory below it is done. Walks by descriptors,
/// crosses no symbolic link and no mount point.
/// </summary>
public sealed class TreeImport
{
    private const int PathsShown = 5;

    private readonly ObjectStore store;
    private readonly PackWriter pack;
    private readonly ImportOptions options;
    private readonly string source;
    private readonly (ulong Device, ulong Inode) storeIdentity;
    private readonly WorkStack<ImportDirectory> work = new();
    private readonly List<string> mountPoints = [];
    private readonly StatCache cache;
    private long files;
    private long contentBytes;
    private long sockets;
    private bool foundStore;

    private TreeImport(ObjectStore store, PackWriter pack, string source, ImportOptions options, StatCache cache)
    {
        this.cache = cache;
        this.store = store;
        this.pack = pack;
        this.options = options;
        this.source = source;
        storeIdentity = store.Identity();
    }

    /// <summary>
    /// Imports the directory at <paramref name="path"/>; its trees go to <paramref name="pack"/>. Nothing is durable yet.
    /// Throws <see cref="StoreException"/> where a file changes while it is read, and <see cref="LinuxException"/> where
    /// one cannot be read.
    /// </summary>
    public static ImportResult Run(ObjectStore store, PackWriter pack, string path, ImportOptions options)
    {
        Errno errno = Sys.Open(
            Sys.WorkingDirectory,
            ByteText.FromArgument(path),
            OpenFlags.ReadOnly | OpenFlags.Directory,
            out SafeFileHandle directory);
        if (errno == Errno.ENOTDIR)
        {
            throw new StoreException($"{path}: not a directory; a tree is a directory, and an archive is given with --tar");
        }

        errno.ThrowIfFailed("openat", path);
        using StatCache cache = store.OpenStatCache();
        var import = new TreeImport(store, pack, path, options, cache);
        FileTime started = FileTime.Now;
        var root = new ImportDirectory(null, [], directory);
        try
        {
            import.work.Push(root);
            import.work.Run(Environment.ProcessorCount, () => new Worker(import).Process);
            cache.Save();
        }
        finally
        {
            directory.Dispose();
        }

        return new ImportResult(root.Digest, root.Metadata, root.Xattrs, import.files, import.contentBytes, import.Notes())
        {
            Started = started,
        };
    }

    private List<string> Notes()
    {
        var notes = new List<string>();
        if (sockets > 0)
        {
            notes.Add($"{sockets} sockets were left out: they mean nothing without the process that made them");
        }

        if (mountPoints.Count > 0)
        {
            string shown = string.Join(", ", mountPoints.Order(StringComparer.Ordinal).Take(PathsShown));
            notes.Add($"{mountPoints.Count} mount points were committed as empty directories ({shown}{(mountPoints.Count > PathsShown ? ", ..." : "")})");
        }

        if (foundStore)
        {
            notes.Add($"the store itself ({store.Path}) was left out");
        }

        return notes;
    }

    /// <summary>What one thread needs for itself.</summary>
    private sealed class Worker(TreeImport import)
    {
        private const OpenFlags ReadFlags = OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking;

        private readonly DirectoryReader reader = new();
        private readonly Xattrs xattrs = new();
        private readonly byte[] buffer = GC.AllocateUninitializedArray<byte>(Blobs.BufferSize);
        private readonly byte[] target = new byte[4096];
        private readonly StatCache.Reader cache = import.cache.NewSession();

        public void Process(ImportDirectory directory)
        {
            string subject = Subject(directory, default);
            directory.Open(subject);
            Sys.Stat(directory.Handle, out FileStatus status).ThrowIfFailed("statx", subject);
            directory.Metadata = MetadataOf(status);
            directory.Xattrs = xattrs.Read(directory.Handle, subject);
            reader.Start(directory.Handle, subject);
            while (reader.Next())
            {
                if (!IsExcluded(directory, reader.Name))
                {
                    Add(directory, reader.Name);
                }
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
                case FileType.Directory:
                    AddDirectory(directory, name, status);
                    break;
                case FileType.Regular when cache.TryFind(status, out CachedFile known) && IsStored(known, status):
                    AddFile(directory, name, status, known.Blob, []);
                    break;
                case FileType.Regular:
                    ReadFile(directory, name);
                    break;
                case FileType.Symlink:
                    RequireThere(Sys.ReadLink(directory.Handle, name, target, out int length), "readlinkat", directory, name);
                    FileMetadata metadata = MetadataOf(status) with { Mode = FileMetadata.SymlinkMode };
                    AddEntry(directory, Special(EntryKind.Symlink, directory, name, metadata, target.AsSpan(0, length), status));
                    break;
                case FileType.CharacterDevice:
                    AddEntry(directory, Special(EntryKind.CharacterDevice, directory, name, MetadataOf(status), default, status));
                    break;
                case FileType.BlockDevice:
                    AddEntry(directory, Special(EntryKind.BlockDevice, directory, name, MetadataOf(status), default, status));
                    break;
                case FileType.Fifo:
                    AddEntry(directory, Special(EntryKind.Fifo, directory, name, MetadataOf(status), default, status));
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

            var child = new ImportDirectory(directory, name.ToArray(), null);
            if (!status.IsMountRoot)
            {
                directory.Expect(child);
                import.work.Push(child);
                return;
            }

            lock (import.mountPoints)
            {
                import.mountPoints.Add(child.Path);
            }

            // What is mounted there belongs to another filesystem: an empty directory of its looks keeps its place.
            child.Metadata = MetadataOf(status);
            directory.Expect(child);
            child.FinishOne();
            Complete(child);
            directory.FinishOne();
        }

        /// <summary>Whether a file that has not changed needs no reading. One that has attributes is read: they are not in the cache.</summary>
        private bool IsStored(in CachedFile known, in FileStatus status) =>
            !known.HasXattrs
            && !import.options.Consume
            && (!import.options.StoreContent || import.store.Blobs.IsStored(import.store.Blobs.NameOf(known.Blob, MetadataOf(status), []), status.Size, []));

        private void ReadFile(ImportDirectory directory, ReadOnlySpan<byte> name)
        {
            RequireThere(Sys.Open(directory.Handle, name, ReadFlags, out SafeFileHandle file), "openat", directory, name);
            using (file)
            {
                string subject = Subject(directory, name);
                FileTime taken = FileTime.Now;
                Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", subject);
                if (status.Type != FileType.Regular)
                {
                    throw Changed(directory, name);
                }

                byte[] attributes = xattrs.Read(file, subject);
                Digest digest = Store(file, status, MetadataOf(status), attributes, subject);
                cache.Add(status, new CachedFile(digest, attributes.Length > 0), taken);
                AddFile(directory, name, status, digest, attributes);
            }
        }

        private void AddFile(ImportDirectory directory, ReadOnlySpan<byte> name, in FileStatus status, Digest digest, byte[] attributes)
        {
            Interlocked.Add(ref import.contentBytes, status.Size);
            import.options.Progress?.Add(status.Size);
            AddEntry(directory, new TreeEntry
            {
                Kind = EntryKind.Regular,
                Name = name,
                Metadata = MetadataOf(status),
                Xattrs = attributes,
                Size = status.Size,
                Digest = digest,
            });
        }

        private Digest Store(SafeFileHandle file, in FileStatus status, FileMetadata metadata, byte[] attributes, string subject)
        {
            Blobs blobs = import.store.Blobs;
            if (!import.options.StoreContent || import.options.Consume)
            {
                Digest digest = Blobs.HashFile(file, status, subject);
                if (!import.options.StoreContent || blobs.TryAdopt(file, status, digest, metadata, attributes, subject))
                {
                    return digest;
                }
            }

            return blobs.AddFile(file, status, metadata, attributes, buffer, subject);
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
                Xattrs = xattrs.Read(directory.Handle, name, Subject(directory, name)),
                Target = linkTarget,
                DeviceMajor = isDevice ? status.DeviceMajor : 0,
                DeviceMinor = isDevice ? status.DeviceMinor : 0,
            };
        }

        private void AddEntry(ImportDirectory directory, in TreeEntry entry)
        {
            directory.Add(entry);
            Interlocked.Increment(ref import.files);
            if (entry.Kind != EntryKind.Regular)
            {
                import.options.Progress?.Add(0);
            }
        }

        /// <summary>Builds the tree of a directory that has all its entries, and enters it in the one above.</summary>
        private void Complete(ImportDirectory directory)
        {
            Tree tree = Build(directory);
            directory.Digest = Tree.DigestOf(tree.Bytes);
            if (!import.store.Packs.Contains(directory.Digest))
            {
                import.pack.Add(PackedKind.Tree, directory.Digest, tree.Bytes);
            }

            directory.Parent?.Add(directory.AsEntry());
        }

        private Tree Build(ImportDirectory directory)
        {
            try
            {
                return directory.Build();
            }
            catch (ArgumentException)
            {
                // A name that goes and comes again while a directory is listed may be listed twice.
                throw Changed(directory, default);
            }
        }

        private FileMetadata MetadataOf(in FileStatus status) =>
            new(status.Mode, status.Uid, status.Gid, import.store.Format.KeepTimes ? status.ModifyTime.Seconds : 0);

        private bool IsExcluded(ImportDirectory directory, ReadOnlySpan<byte> name)
        {
            if (import.options.Excludes.Count == 0)
            {
                return false;
            }

            byte[] path = directory.PathOf(name);
            foreach (PathGlob glob in import.options.Excludes)
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

        private string Subject(ImportDirectory directory, ReadOnlySpan<byte> name)
        {
            byte[] path = directory.PathOf(name);
            return path.Length == 0 ? import.source : $"{import.source.TrimEnd('/')}/{ByteText.Quote(path)}";
        }
    }
}
