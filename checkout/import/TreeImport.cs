using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Reads a directory into a store. Every file that is new in the store is stored, and each directory becomes a tree in a pack. All cores read
/// directories. A tree is built when the last directory below it is done. The walk goes by descriptors, follows no symbolic link below the top, and
/// enters no mount point: a directory or file that something is mounted on becomes an empty one. This file has the import as a whole.
/// TreeImport.Worker.cs has the work on one directory.
/// </summary>
public sealed partial class TreeImport
{
    private const int PathsShown = 5;

    private readonly ObjectStore store;
    private readonly PackWriter pack;
    private readonly Additions? additions;
    private readonly ImportOptions options;
    private readonly string source;
    private readonly (ulong Device, ulong Inode) storeIdentity;
    private readonly WorkStack<ImportDirectory> work;
    private readonly List<string> mountPoints = [];
    private readonly List<string> mountedFiles = [];
    private readonly StatCache cache;
    private readonly bool seesAllXattrs = Sys.IsRoot && !Sys.IsInUserNamespace();
    private long files;
    private long contentBytes;
    private long sockets;
    private bool foundStore;

    private TreeImport(ObjectStore store, PackWriter pack, Additions? additions, string source, ImportOptions options, StatCache cache)
    {
        this.cache = cache;
        this.store = store;
        this.pack = pack;
        this.additions = additions;
        this.options = options;
        this.source = source;
        storeIdentity = store.Identity();
        work = new WorkStack<ImportDirectory>(store.Stop);
    }

    /// <summary>
    /// Imports the directory at <paramref name="path"/> with the content of its files. Nothing is durable yet. Throws
    /// <see cref="StoreException"/> if a file changes while it is read, and <see cref="LinuxException"/> if a file cannot be read.
    /// </summary>
    public static ImportResult Run(Additions additions, string path, ImportOptions options) =>
        Run(additions.Store, additions.Pack, additions, path, options);

    /// <summary>
    /// Makes the trees of a directory, for a comparison. No file is stored. Throws as <see cref="Run(Additions, string, ImportOptions)"/>
    /// does.
    /// </summary>
    public static ImportResult Describe(ScratchPack scratch, string path, ImportOptions options) =>
        Run(scratch.Store, scratch.Pack, null, path, options);

    private static ImportResult Run(ObjectStore store, PackWriter pack, Additions? additions, string path, ImportOptions options)
    {
        CurrentDirectory.RequireFor(path);
        using SafeFileHandle directory = options.Consume?.OpenTree() ?? OpenTree(Sys.WorkingDirectory, ByteText.FromArgument(path), path);
        RequireOutside(store, directory, path);
        using StatCache cache = store.OpenStatCache();
        var import = new TreeImport(store, pack, additions, path, options, cache);
        var root = new ImportDirectory(null, [], directory)
        {
            CheckedOut = import.CheckedOutTree(directory),
            Over = options.Over?.Tree ?? default,
            Recorded = options.Over is { Checkout: not null } over ? new RecordedDirectory(over.RootEntry()) : null,
        };
        import.work.Push(root);
        import.work.RunReaders(() => new Worker(import, new Xattrs(store.Format, options.LeavesOut)).Process);
        cache.Save();
        return new ImportResult(
            root.Digest,
            root.Metadata,
            root.Xattrs,
            import.files + (options.Over?.Files ?? 0),
            import.contentBytes + (options.Over?.ContentBytes ?? 0),
            import.Notes());
    }

    /// <summary>Opens a directory that will become a tree. Throws <see cref="StoreException"/> if it is something else.</summary>
    internal static SafeFileHandle OpenTree(SafeFileHandle above, ReadOnlySpan<byte> name, string path, OpenFlags flags = default)
    {
        Errno errno = Sys.Open(above, name, OpenFlags.ReadOnly | OpenFlags.Directory | flags, out SafeFileHandle tree);
        if (errno == Errno.ENOTDIR)
        {
            throw new StoreException($"{path}: not a directory; a tree is a directory, and an archive is given with --tar");
        }

        errno.ThrowIfFailed("openat", path);
        return tree;
    }

    /// <summary>Throws <see cref="StoreException"/> if a directory is the store or lies in it: a store is never committed into itself.</summary>
    internal static void RequireOutside(ObjectStore store, SafeFileHandle directory, string path)
    {
        if (store.Holds(directory))
        {
            throw new StoreException($"{path}: it is the store {store.Path} or lies in it, and a store is not committed into itself; name another directory");
        }
    }

    /// <summary>
    /// If the directory is a root of hardlinks, the tree of the commit that it was made from; otherwise none. Any path of the root will do.
    /// A file of the root that is still the inode of its object need not be read. On filesystems without lasting inode numbers this cannot be
    /// told: on overlayfs a file that was changed is a copy, which keeps its number.
    /// </summary>
    private Digest CheckedOutTree(SafeFileHandle directory)
    {
        Sys.Stat(directory, out FileStatus status).ThrowIfFailed("statx", source);
        return options.Consume is null
            && Sys.FilesystemOf(directory, out FilesystemType type) == Errno.None
            && CachedFilesystem.HasLastingInodes(type)
            && store.Roots.FindByDirectory(status) is { Method: CheckoutMethod.Hardlink } record
            && store.Packs.TryReadCommit(record.Commit, out Commit? commit) ? commit.Tree : default;
    }

    private List<string> Notes()
    {
        var notes = new List<string>();
        if (sockets > 0)
        {
            notes.Add(sockets == 1
                ? "1 socket was left out: it means nothing without the process that made it"
                : $"{sockets} sockets were left out: they mean nothing without the processes that made them");
        }

        if (mountPoints.Count > 0)
        {
            notes.Add((mountPoints.Count == 1
                ? "1 mount point was committed as an empty directory"
                : $"{mountPoints.Count} mount points were committed as empty directories") + Shown(mountPoints));
        }

        if (mountedFiles.Count > 0)
        {
            notes.Add((mountedFiles.Count == 1
                ? "1 file that something is mounted on was committed as an empty file"
                : $"{mountedFiles.Count} files that something is mounted on were committed as empty files") + Shown(mountedFiles));
        }

        if (foundStore)
        {
            notes.Add($"the store itself ({store.Path}) was left out");
        }

        return notes;
    }

    private static string Shown(List<string> paths) =>
        $" ({string.Join(", ", paths.Order(StringComparer.Ordinal).Take(PathsShown))}{(paths.Count > PathsShown ? ", ..." : "")})";
}
