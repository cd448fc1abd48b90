using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// An open store: its rooms, and the shared lock that keeps gc's sweep away. Any number of processes may have a store open. Thread-safe; dispose it
/// after all that was opened from it.
/// </summary>
/// <remarks>
/// <para>A store is one directory (engine/FORMAT.md has every byte):</para>
/// <code>
/// format   version and policies (StoreFormat); the last file that is made: where it is, the store is whole
/// lock     whose sweep keeps everybody out (StoreLock, which has the order of all locks)
/// files/   objects: for each content with its metadata one inode, which roots are hardlinks of (Blobs)
/// packs/   trees and commits, many in one file (Packs)
/// refs/    one file for each name of a commit (Refs); logs/ tells where each ref has been
/// roots/   what was checked out, and where (Roots)
/// tmp/     files that have no name yet, and marks of what is not finished (DoubtMark)
/// cache/   what unchanged files held, so that they need not be read (StatCache); may go at any time
/// </code>
/// <para>
/// Reading needs no order: objects, trees and commits never change, and are compared with their digests. Writing has one. Objects get their names, then one
/// syncfs(2) makes them and the pack durable, then the pack gets its name, then a ref is set: <see cref="Additions"/> is the only way to do it, and
/// <see cref="RefTurn"/> the only way to a ref. So what can be read is whole at every instant, whatever a power cut leaves. Removing goes the other way:
/// only <see cref="Collect"/> removes, alone, first trees and then the objects that they needed.
/// </para>
/// <para>What a process adds, others see at once, and use before it is durable: each makes durable itself what it relies on.</para>
/// </remarks>
public sealed class ObjectStore : IDisposable
{
    private readonly SafeFileHandle directory;
    private readonly SafeFileHandle temporary;
    private readonly Doubt doubt;
    private readonly List<SafeFileHandle> rooms = [];

    private ObjectStore(SafeFileHandle directory, string path, StoreFormat format, StoreLock storeLock, Action<LockWait>? onWait, CancellationToken stop)
    {
        this.directory = directory;
        Path = path;
        Format = format;
        Lock = storeLock;
        OnWait = onWait;
        Stop = stop;
        try
        {
            temporary = OpenRoom("tmp", OpenFlags.Path);
            doubt = new Doubt(temporary, $"{path}/tmp");
            Blobs = new Blobs(OpenRoom("files", OpenFlags.Path), temporary, doubt, format, $"{path}/files", stop);
            Packs = new Packs(OpenRoom("packs"), temporary, $"{path}/packs");
            Refs = new Refs(OpenRoom("refs"), OpenRoom("logs"), temporary, path);
            Roots = new Roots(OpenRoom("roots"), temporary, $"{path}/roots", PhysicalRoot);
        }
        catch
        {
            rooms.ForEach(room => room.Dispose());
            storeLock.Dispose();
            throw;
        }
    }

    /// <summary>The store's absolute path.</summary>
    public string Path { get; }

    /// <summary>The store's parent directory, beside which roots stand.</summary>
    public string PhysicalRoot => System.IO.Path.GetDirectoryName(Path) ?? "/";

    /// <summary>Version and policies.</summary>
    public StoreFormat Format { get; }

    /// <summary>The objects.</summary>
    public Blobs Blobs { get; }

    /// <summary>Trees and commits.</summary>
    public Packs Packs { get; }

    /// <summary>Names of commits.</summary>
    public Refs Refs { get; }

    /// <summary>Records of checked-out roots.</summary>
    public Roots Roots { get; }

    /// <summary>
    /// The caller's request to stop. Whatever changes this store or a root of it, and whatever waits for another process, looks at it, and ends by an
    /// <see cref="OperationCanceledException"/>. What was begun is taken back as after a failure; a step that is not to be taken back is finished.
    /// </summary>
    public CancellationToken Stop { get; }

    /// <summary>
    /// Called once, by any thread, before this process reads objects again because an earlier one was cut short. That can be all objects that a commit
    /// relies on, until gc ends the doubt.
    /// </summary>
    public Action? OnDoubt
    {
        set => doubt.OnDoubt = value;
    }

    /// <summary>Which objects are believed.</summary>
    internal Doubt Doubt => doubt;

    /// <summary>The lock, held shared.</summary>
    internal StoreLock Lock { get; }

    /// <summary>Told before a lock of this store is waited for; null where nobody wants to know.</summary>
    internal Action<LockWait>? OnWait { get; }

    /// <summary>tmp/, where files wait for their names.</summary>
    internal SafeFileHandle Temporary => temporary;

    /// <summary>Whether there is a store at <paramref name="path"/>.</summary>
    public static bool IsStore(string path) => File.Exists(System.IO.Path.Combine(path, "format"));

    /// <summary>The same where nobody said so: a file called "format" may lie in any directory.</summary>
    public static bool IsCertainlyStore(string path) => IsStore(path) && Directory.Exists(System.IO.Path.Combine(path, "packs"));

    /// <summary>
    /// Makes a store in a new or empty directory. The format file comes last: where it is, the store is whole.
    /// </summary>
    public static void Create(string path, StoreFormat format)
    {
        path = System.IO.Path.GetFullPath(path);
        if (IsStore(path))
        {
            throw new StoreException($"{path}: there is a store already");
        }

        if (!format.UserMode && !Sys.IsRoot)
        {
            throw new StoreException($"{path}: only root can keep a store with owners and devices", new Remedy.MakeUserStore());
        }

        byte[] bytes = ByteText.FromArgument(path);
        using SafeFileHandle directory = MakeDirectory(Sys.WorkingDirectory, bytes, FileModes.PublicDirectory, path, mayExist: true);
        var reader = new DirectoryReader();
        reader.Start(directory, path);
        if (reader.Next())
        {
            throw new StoreException($"{path}: the directory is not empty; give a new one");
        }

        // Old versions of set-uid programs stay in files/ after an upgrade: nobody but the owner may run them there.
        using (SafeFileHandle files = MakeDirectory(directory, "files"u8, FileModes.OwnerOnly, path, mayExist: false))
        {
            Span<byte> fan = stackalloc byte[2];
            for (int i = 0; i < 256; i++)
            {
                Convert.TryToHexStringLower([(byte)i], fan, out _);
                MakeDirectory(files, fan, FileModes.PublicDirectory, path, mayExist: false).Dispose();
            }
        }

        foreach (string room in new[] { "packs", "refs", "logs", "roots" })
        {
            MakeDirectory(directory, ByteText.FromArgument(room), FileModes.PublicDirectory, path, mayExist: false).Dispose();
        }

        using SafeFileHandle temporary = MakeDirectory(directory, "tmp"u8, FileModes.OwnerOnly, path, mayExist: false);
        Sys.Open(directory, "lock"u8, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, out SafeFileHandle lockFile, FileModes.PublicFile)
            .ThrowIfFailed("openat", path);
        lockFile.Dispose();
        Sys.SyncFilesystem(directory).ThrowIfFailed("syncfs", path);
        DurableFile.WriteStaged(temporary, directory, "format"u8, format.Encode(), path);
    }

    /// <summary>
    /// Opens a store. Throws <see cref="StoreException"/> where there is none, or one of a newer format. <paramref name="onWait"/> is called before
    /// this process waits for another one: here for a sweep of gc, and later for the refs' turn, and to have
    /// the store alone. <paramref name="stop"/> is its <see cref="Stop"/>.
    /// </summary>
    public static ObjectStore Open(string path, Action<LockWait>? onWait = null, CancellationToken stop = default)
    {
        path = System.IO.Path.GetFullPath(path);
        Errno errno = Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle directory);
        byte[]? format = errno == Errno.None ? SmallFile.TryRead(directory, "format"u8, $"{path}/format") : null;
        if (format is null)
        {
            directory.Dispose();
            throw errno is Errno.None or Errno.ENOENT or Errno.ENOTDIR
                ? new StoreException($"{path}: there is no store", new Remedy.MakeStore(path))
                : new LinuxException(errno, "openat", path);
        }

        try
        {
            // Where roots stand is told by the store's place: a link to it must not make it another one.
            path = RealPath.Of(directory, path);
            return new ObjectStore(directory, path, StoreFormat.Decode(format, path), StoreLock.Take(directory, path, onWait, stop), onWait, stop);
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    /// <summary>Throws <see cref="StoreException"/> unless this process may write to this store and knows how.</summary>
    public void RequireWritable()
    {
        if (!Format.UserMode && !Sys.IsRoot)
        {
            throw new StoreException($"{Path}: this store keeps owners and devices, so only root can write to it", new Remedy.WriteAsRoot());
        }

        Format.RequireKnown(FeatureSet.ReadOnlyCompatible, Path);
    }

    /// <summary>Makes a commit durable that another process may have published a moment ago, so that a ref can be set to it.</summary>
    public DurableCommit MakeDurable(Digest commit)
    {
        Sync();
        return new DurableCommit(commit);
    }

    /// <summary>
    /// Throws <see cref="StoreException"/> unless this process may read the objects, which the store's owner and root alone can:
    /// trees and commits are for everybody.
    /// </summary>
    public void RequireReadable()
    {
        Errno errno = Sys.Open(directory, "files/00"u8, OpenFlags.Path, out SafeFileHandle objects);
        objects.Dispose();
        if (errno == Errno.EACCES)
        {
            throw new StoreException($"{Path}: only {(Format.UserMode ? "its owner" : "root")} can read the files in this store; run as {(Format.UserMode ? "the user whose it is" : "root")}");
        }
    }

    /// <summary>
    /// Makes all that was written durable, once for a whole commit (syncfs(2)). Not while other threads of this process
    /// add objects.
    /// </summary>
    public void Sync() => TrySync().ThrowIfFailed("syncfs", Path);

    /// <summary>
    /// Gives the right to make files of a tree objects as they are. Null if that cannot be: in a user store, whose objects do not carry all that a file
    /// has; for a tree on another filesystem; and on a filesystem that is not known to tell who has a file open for writing.
    /// </summary>
    public Adoption? TryAdopt(SafeFileHandle tree)
    {
        Sys.Stat(tree, out FileStatus status).ThrowIfFailed("statx", "the tree");
        bool isPossible = !Format.UserMode
            && status.Device == Identity().Device
            && Sys.FilesystemOf(tree, out FilesystemType type) == Errno.None
            && type is FilesystemType.Ext4 or FilesystemType.Xfs or FilesystemType.Btrfs or FilesystemType.Tmpfs;
        return isPossible ? new Adoption(Blobs, doubt.Adopting, status.Device) : null;
    }

    /// <summary>Opens the stat cache for one command. It helps where it can: what is wrong with it never stops anything.</summary>
    public StatCache OpenStatCache() => StatCache.Open(directory, Path, expectedEntries: 0);

    /// <summary>Device and inode of the store's directory: a tree that holds the store does not commit it.</summary>
    public (ulong Device, ulong Inode) Identity()
    {
        Sys.Stat(directory, out FileStatus status).ThrowIfFailed("statx", Path);
        return (status.Device, status.Inode);
    }

    /// <summary>Closes everything and lets go of the lock.</summary>
    public void Dispose()
    {
        // A command that failed leaves objects: better durable now than in doubt for the next one.
        if (doubt.Unsynced.IsSet)
        {
            TrySync();
        }

        Blobs.Dispose();
        Packs.Dispose();
        Refs.Dispose();
        Roots.Dispose();
        temporary.Dispose();
        directory.Dispose();
        Lock.Dispose();
    }

    private Errno TrySync()
    {
        DoubtMark.Held? taken = doubt.Unsynced.Take();
        Errno errno = Sys.SyncFilesystem(directory);
        doubt.Unsynced.End(taken, isSafe: errno == Errno.None);
        return errno;
    }

    private static SafeFileHandle MakeDirectory(SafeFileHandle parent, ReadOnlySpan<byte> name, uint mode, string subject, bool mayExist)
    {
        Errno errno = Sys.MakeDirectory(parent, name, FileModes.OwnerOnly);
        if (errno != Errno.EEXIST || !mayExist)
        {
            errno.ThrowIfFailed("mkdirat", subject);
        }

        Sys.Open(parent, name, OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle made).ThrowIfFailed("openat", subject);

        // Nothing of what the surroundings hand down may reach the objects: default ACLs, the set-gid bit.
        Xattrs.RemoveInheritedAcls(made, subject);
        Sys.SetMode(made, mode).ThrowIfFailed("fchmod", subject);
        return made;
    }

    /// <summary>Opens a directory of the store; with O_PATH one that other users may know of but not look into.</summary>
    private SafeFileHandle OpenRoom(string name, OpenFlags access = OpenFlags.ReadOnly)
    {
        Errno errno = Sys.Open(directory, ByteText.FromArgument(name), access | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle room);
        if (errno == Errno.ENOENT)
        {
            Remedy remedy = name switch
            {
                "tmp" => new Remedy.MakeDirectory($"{Path}/tmp", IsPrivate: true),
                "logs" => new Remedy.MakeDirectory($"{Path}/logs", IsPrivate: false),
                _ => new Remedy.RestoreFromCopy(),
            };
            throw new CorruptException($"{Path}/{name}", "missing from the store", remedy) { IsMissing = true };
        }

        errno.ThrowIfFailed("openat", $"{Path}/{name}");
        rooms.Add(room);
        return room;
    }
}
