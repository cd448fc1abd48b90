using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>
/// An open store: its rooms, and the shared lock that keeps gc's sweep away. Any number of processes may have a store open. Thread-safe.
/// Dispose of it after everything that was opened from it.
/// </summary>
/// <remarks>
/// <para>A store is one directory (engine/FORMAT.md has every byte):</para>
/// <code>
/// format   version and policies (StoreFormat). It is made last, so a store that has it is whole
/// lock     shared by all processes; gc's sweep holds it alone (StoreLock, which has the order of all locks)
/// files/   objects: one inode for each content with its metadata. Files of roots are hardlinks of them (Blobs)
/// packs/   trees and commits, many in one file (Packs)
/// refs/    one file for each ref, a name of a commit (Refs). logs/ has the history of each ref
/// aliases/ names that mean what a ref means (Aliases). Made with the first
/// remotes/ names of other places of commits (Remotes). Made with the first
/// signatures/ who signed which commits (Signatures). Made with the first
/// damaged/ inodes that were objects and are damaged, until roots have others (DamagedInodes). Made with the first
/// images/  images of commits' metadata, for mounts (Images). Made with the first
/// records/    what signers said of where refs stand (RefRecords). Made with the first
/// roots/   which commits were checked out, and where (Roots)
/// tmp/     files that have no name yet, what is set aside (SetAside), and marks of unfinished commands (DoubtMark)
/// cache/   the digests of unchanged files, so that they need not be read (StatCache). May be deleted at any time
/// </code>
/// <para>
/// Reading needs no order. Objects, trees and commits never change, and trees and commits are compared with their digests when they are
/// read. Writing has an order: objects get their names, then one syncfs(2) makes the objects and the pack durable, then the pack gets its
/// name, then a ref is set. Commands write only through <see cref="Additions"/>, and change refs only through <see cref="RefTurn"/>. So
/// every commit that can be read is whole, whatever a power cut leaves. Removing has the opposite order. Only <see cref="Collect"/>
/// removes, while it has the store alone: first trees, then the objects that only those trees needed.
/// </para>
/// <para>
/// Other processes see an object as soon as it has its name, and may use it before it is durable. So each process syncs everything that its
/// commit relies on.
/// </para>
/// </remarks>
public sealed partial class ObjectStore : IDisposable
{
    private readonly SafeFileHandle directory;
    private readonly List<SafeFileHandle> rooms = [];

    // A directory that is missing and that only writers need; null if all are there.
    private CorruptException? missing;

    private ObjectStore(
        SafeFileHandle directory, string path, StoreFormat format, StoreLock storeLock, bool toWrite, Action<LockWait>? onWait, CancellationToken stop)
    {
        this.directory = directory;
        Path = path;
        Format = format;
        Lock = storeLock;
        OnWait = onWait;
        Stop = stop;
        try
        {
            if (toWrite)
            {
                StoreRooms.MakeMissing(directory, path);
            }

            Temporary = OpenRoom("tmp", OpenFlags.Path);
            Doubt = new Doubt(Temporary, $"{path}/tmp");
            Blobs = new Blobs(OpenRoom("files", OpenFlags.Path), Temporary, Doubt, format, $"{path}/files", stop)
            {
                KeepDamaged = name => _ = Damaged.TryKeep(name),
            };
            Packs = new Packs(OpenRoom("packs"), Temporary, $"{path}/packs");
            Refs = new Refs(OpenRoom("refs"), OpenRoom("logs"), new Aliases(this, directory), Temporary, path);
            Roots = new Roots(OpenRoom("roots"), Temporary, $"{path}/roots", PhysicalRoot);
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

    /// <summary>Names of other places of commits.</summary>
    public Remotes Remotes => new(this, directory);

    /// <summary>The signatures of commits.</summary>
    public Signatures Signatures => new(this, directory);

    /// <summary>Inodes that were objects and are damaged.</summary>
    public DamagedInodes Damaged => new(this, directory);

    /// <summary>Images that commits are mounted from.</summary>
    public Images Images => new(this, directory);

    /// <summary>What signers said of where refs stand.</summary>
    public RefRecords RefRecords => new(this, directory);

    /// <summary>Records of checked-out roots.</summary>
    public Roots Roots { get; }

    /// <summary>
    /// The caller's request to stop. Every method that changes this store or a root of it checks the token, and so does every wait for
    /// another process. It ends by an <see cref="OperationCanceledException"/>. An unfinished change is undone as after a failure. A step
    /// that must not be undone is finished.
    /// </summary>
    public CancellationToken Stop { get; }

    /// <summary>
    /// Called once, by any thread, before this process first reads an object because an earlier process was interrupted. Until gc ends the
    /// doubt, a commit may have to read all objects that it relies on.
    /// </summary>
    public Action? OnDoubt
    {
        set => Doubt.OnDoubt = value;
    }

    /// <summary>Decides which objects a commit may rely on.</summary>
    internal Doubt Doubt { get; }

    /// <summary>The lock, held shared.</summary>
    internal StoreLock Lock { get; }

    /// <summary>Called before this process waits for a lock of this store; null if the opener gave no callback.</summary>
    internal Action<LockWait>? OnWait { get; }

    /// <summary>Whether objects can have fs-verity here, by a try.</summary>
    public bool CanHaveVerity() => Frozen.IsPossible(Temporary, Path);

    /// <summary>The directory tmp/, which has files that get their names later.</summary>
    internal SafeFileHandle Temporary { get; }

    /// <summary>Whether there is a store at <paramref name="path"/>.</summary>
    public static bool IsStore(string path) => PathStatus.IsFile(System.IO.Path.Combine(path, "format"));

    /// <summary>
    /// Whether there is a store at <paramref name="path"/>, by a stricter test, for directories that the user did not name as a store. Any
    /// directory may happen to hold a file called "format".
    /// </summary>
    public static bool IsCertainlyStore(string path) => IsStore(path) && PathStatus.IsDirectory(System.IO.Path.Combine(path, "packs"));

    /// <summary>
    /// Makes a store in a new or empty directory, or in one in which a killed process began to. Throws <see cref="StoreException"/> if the directory
    /// has anything else.
    /// </summary>
    public static void Create(string path, StoreFormat format) => StoreCreation.Run(path, format);

    /// <summary>
    /// Removes a store in which nothing is kept: no object, tree, ref or root. False if something is, or if a process uses the store. Then it stays.
    /// </summary>
    /// <param name="path">The store.</param>
    /// <param name="keepsDirectory">Whether the directory stays, because it was there before the store.</param>
    public static bool TryRemoveUnused(string path, bool keepsDirectory) => StoreCreation.TryRemove(path, keepsDirectory);

    /// <summary>
    /// Opens a store. Throws <see cref="StoreException"/> if there is no store, or if its format is newer than this program.
    /// <paramref name="onWait"/> is called before this process waits for another process: in this call for a sweep of gc, later for the
    /// refs' turn, and for gc until no other process uses the store. <paramref name="stop"/> becomes <see cref="Stop"/>.
    /// </summary>
    public static ObjectStore Open(string path, Action<LockWait>? onWait = null, CancellationToken stop = default) =>
        OpenAs(path, toWrite: false, onWait, stop);

    /// <summary>
    /// Opens a store as <see cref="Open"/> does, to write to it. Makes directories that are missing
    /// because a program that copied the store left out empty ones. Throws as <see cref="RequireWritable"/> does.
    /// </summary>
    public static ObjectStore OpenToWrite(string path, Action<LockWait>? onWait = null, CancellationToken stop = default) =>
        OpenAs(path, toWrite: true, onWait, stop);

    /// <summary>Opens another store, which waits and stops as this one does. Throws <see cref="StoreException"/> if it is this one.</summary>
    public ObjectStore OpenOther(string path, bool toWrite)
    {
        ObjectStore other = toWrite ? OpenToWrite(path, OnWait, Stop) : Open(path, OnWait, Stop);
        if (other.Identity() != Identity())
        {
            return other;
        }

        other.Dispose();
        throw new StoreException($"{path}: it is this store itself");
    }

    private static ObjectStore OpenAs(string path, bool toWrite, Action<LockWait>? onWait, CancellationToken stop)
    {
        CurrentDirectory.RequireFor(path);
        path = System.IO.Path.GetFullPath(path);
        Errno errno = Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle directory);
        byte[]? format = errno == Errno.None
            ? SmallFile.TryRead(directory, "format"u8, $"{path}/format", mayBeDirectory: true, remedy: new Remedy.RestoreFormat())
            : null;
        if (format is null)
        {
            directory.Dispose();
            throw errno is Errno.None or Errno.ENOENT or Errno.ENOTDIR
                ? new StoreException($"{path}: there is no store", new Remedy.MakeStore(path))
                : new LinuxException(errno, "openat", path);
        }

        try
        {
            // Roots stand beside the store. So the path must be the store's real path, not the path of a link to it.
            path = RealPath.Of(directory, path);
            var decoded = StoreFormat.Decode(format, path);
            if (toWrite)
            {
                RequireMayWrite(decoded, directory, path);
            }

            StoreLock held = StoreLock.Take(directory, path, onWait, stop);
            return new ObjectStore(directory, path, decoded, held, toWrite, onWait, stop);
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Makes a commit of this store durable, so that a ref can be set to it. Another process may have published the commit a moment ago. Throws
    /// <see cref="StoreException"/> if the store does not have the commit.
    /// </summary>
    public DurableCommit MakeDurable(Digest commit)
    {
        _ = Packs.ReadCommit(commit);
        Sync();
        return new DurableCommit(commit);
    }

    /// <summary>
    /// Makes everything durable that was written to the store's filesystem (syncfs(2)). A whole commit needs one call. Do not call it while
    /// other threads of this process add objects.
    /// </summary>
    public void Sync() => TrySync().ThrowIfFailed("syncfs", Path);

    /// <summary>
    /// Gives the right to make files of a tree objects as they are. Null in three cases: in a user store, because its objects do not carry
    /// all of a file's metadata; if the tree is on another filesystem; and if the filesystem is not known to tell whether a process has a
    /// file open for writing.
    /// </summary>
    public Adoption? TryAdopt(SafeFileHandle tree)
    {
        Sys.Stat(tree, out FileStatus status).ThrowIfFailed("statx", "the tree");
        bool isPossible = !Format.UserMode
            && status.Device == Identity().Device
            && Sys.FilesystemOf(tree, out FilesystemType type) == Errno.None
            && type is FilesystemType.Ext4 or FilesystemType.Xfs or FilesystemType.Btrfs or FilesystemType.Tmpfs;
        return isPossible ? new Adoption(Blobs, Doubt.Adopting, status.Device) : null;
    }

    /// <summary>The device and inode of the store's directory. A commit of a tree that contains the store leaves the store out.</summary>
    public (ulong Device, ulong Inode) Identity() => IdentityOf(directory, Path);

    /// <summary>
    /// Whether an open directory is the store's directory or lies in it. Directories are compared, not paths, so a link or a bind mount of
    /// the store makes no difference.
    /// </summary>
    public bool Holds(SafeFileHandle opened)
    {
        HashSet<(ulong Device, ulong Inode)> own = [Identity(), .. rooms.Select(room => IdentityOf(room, Path))];
        (ulong Device, ulong Inode) place = IdentityOf(opened, Path), below = default;
        SafeFileHandle? above = null;
        try
        {
            // The top of all directories is above itself.
            while (place != below && !own.Contains(place))
            {
                Errno errno = Sys.Open(above ?? opened, ".."u8, OpenFlags.Path | OpenFlags.Directory, out SafeFileHandle next);
                above?.Dispose();
                above = next;
                (below, place) = (place, errno == Errno.None ? IdentityOf(above, Path) : place);
            }

            return own.Contains(place);
        }
        finally
        {
            above?.Dispose();
        }
    }

    /// <summary>Closes everything and gives up the lock.</summary>
    public void Dispose()
    {
        // A command that failed leaves objects. If they are synced now, they are not in doubt for the next command.
        if (Doubt.Unsynced.IsSet)
        {
            TrySync();
        }

        Blobs.Dispose();
        Packs.Dispose();
        Refs.Dispose();
        Roots.Dispose();
        Temporary.Dispose();
        directory.Dispose();
        Lock.Dispose();
    }

    private static (ulong Device, ulong Inode) IdentityOf(SafeFileHandle opened, string subject)
    {
        Sys.Stat(opened, out FileStatus status).ThrowIfFailed("statx", subject);
        return (status.Device, status.Inode);
    }

    private Errno TrySync()
    {
        DoubtMark.Held? taken = Doubt.Unsynced.Take();
        Errno errno = Sys.SyncFilesystem(directory);
        Doubt.Unsynced.End(taken, isSafe: errno == Errno.None);
        return errno;
    }

    /// <summary>
    /// Opens a directory of the store. With O_PATH this works for other users too, who may not list or read the directory.
    /// </summary>
    private SafeFileHandle OpenRoom(string name, OpenFlags access = OpenFlags.ReadOnly)
    {
        Errno errno = Sys.Open(directory, ByteText.FromArgument(name), access | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle room);
        if (errno == Errno.ENOENT)
        {
            bool isWholeWithout = StoreRooms.IsWholeWithout(name);
            Remedy remedy = isWholeWithout
                ? new Remedy.MakeDirectory($"{Path}/{name}", StoreRooms.ModeOf(name) == FileModes.OwnerOnly)
                : new Remedy.RestoreFromCopy();
            var damage = new CorruptException($"{Path}/{name}", "missing from the store", remedy) { IsMissing = true };
            if (!isWholeWithout)
            {
                throw damage;
            }

            // A reader needs none of the names that the directory could have, and changes nothing. The directory of packs has none of them.
            missing ??= damage;
            errno = Sys.Open(directory, "packs"u8, access | OpenFlags.Directory | OpenFlags.NoFollow, out room);
        }

        errno.ThrowIfFailed("openat", $"{Path}/{name}");
        rooms.Add(room);
        return room;
    }
}
