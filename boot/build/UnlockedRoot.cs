using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// The running root with writable overlays over the directories that the boot made read-only. What is written into them is kept in memory and ends
/// with the next boot. Without the overlays, a write into a file of a hardlinked root would change the store's object and other roots.
/// </summary>
/// <remarks>
/// "upper" below <see cref="Place"/> has the upper directory of each overlay at the path of the directory that it covers. So it is what one overlay
/// over the whole root would have, and <see cref="OverlayBase"/> reads it over the root's commit.
/// </remarks>
/// <param name="store">The store.</param>
/// <param name="record">The running root's record.</param>
public sealed class UnlockedRoot(ObjectStore store, RootRecord record)
{
    /// <summary>The directory that holds what is written: a filesystem in memory.</summary>
    public const string Place = "/run/hacktree/unlocked";

    private const string Source = "hacktree-unlocked";
    private const string Upper = $"{Place}/upper";
    private const string PackageDatabase = "var/lib/dpkg";

    private static readonly string[] Everywhere = [.. Enum.GetValues<MountedPlace>().SelectMany(MountPoints.Showing)];

    /// <summary>The root's commit.</summary>
    public Digest Commit => record.Commit;

    private static bool IsUnlocked => MountTable.PointsBelow(Place).Any();

    /// <summary>
    /// Finds the running root, which must be unlocked. Throws <see cref="StoreException"/> if it is not.
    /// </summary>
    public static UnlockedRoot Find(ObjectStore store)
    {
        var root = new UnlockedRoot(store, RecordOfRunning(store));
        return IsUnlocked ? root : throw new StoreException("the running root is not unlocked, so nothing was changed in it", new Remedy.Unlock());
    }

    /// <summary>
    /// Unlocks the running root and returns the paths that are writable now. Throws <see cref="StoreException"/>, with nothing changed, if this
    /// system runs on no root of the store, if the root is unlocked already, or if an overlay cannot be mounted.
    /// </summary>
    public static IReadOnlyList<string> Unlock(ObjectStore store)
    {
        RootRecord record = RecordOfRunning(store);
        if (!Sys.IsRoot)
        {
            throw new StoreException("unlocking mounts overlays, for which it must be run as root");
        }

        return IsUnlocked
            ? throw new StoreException("the running root is unlocked already, until the next boot")
            : new UnlockedRoot(store, record).Mount();
    }

    /// <summary>Makes trees of the commit's tree and of what was changed since the root was unlocked.</summary>
    public ImportResult Import(Additions additions, ImportOptions options) =>
        TreeImport.Run(additions, Upper, options with { Over = new OverlayBase(store.Packs.ReadCommit(record.Commit)) });

    private static RootRecord RecordOfRunning(ObjectStore store) =>
        RunningRoot.RecordOf(store, "/") ?? throw new StoreException($"this system runs on no root of {store.Path}, so there is nothing to unlock");

    private List<string> Mount()
    {
        Commit commit = store.Packs.ReadCommit(record.Commit);
        List<string> covered = FindReadOnly(commit);
        covered.ForEach(RequireNothingBelow);
        var mounted = new Stack<string>();
        try
        {
            Directory.CreateDirectory(Place);
            Tool.Mount.Run("-t", "tmpfs", "-o", "mode=700", Source, Place);
            mounted.Push(Place);
            MakeUppers(commit, covered);
            foreach ((int number, string path) in covered.Index())
            {
                MountOverlay(path, $"{Place}/work-{number}");
                mounted.Push($"/{path}");
            }
        }
        catch
        {
            foreach (string point in mounted)
            {
                _ = Tool.Unmount.TryRun(["-l", point]);
            }

            throw;
        }

        return covered.ConvertAll(path => $"/{path}");
    }

    /// <summary>
    /// The directories of the commit that the boot shows read-only: those at the top on which it mounts nothing writable, and the package database,
    /// which it mounts from the root. What else is mounted by somebody is no part of the root.
    /// </summary>
    private List<string> FindReadOnly(Commit commit)
    {
        var found = new List<string>();
        foreach (TreeEntry entry in store.Packs.ReadTree(commit.Tree))
        {
            string name = ByteText.ToArgument(entry.Name);
            bool isOwn = name == "etc" && (record.OwnsEtc || record.Method != CheckoutMethod.Hardlink);
            if (entry.IsDirectory && !isOwn && !Everywhere.Contains(name) && IsMountPoint(name) == false)
            {
                found.Add(name);
            }
        }

        bool hasDatabase = TreeWalk.TryFind(store.Packs, commit, ByteText.FromArgument(PackageDatabase), out TreeEntry database) && database.IsDirectory;
        if (hasDatabase && IsMountPoint(PackageDatabase) == true)
        {
            found.Add(PackageDatabase);
        }

        return found;
    }

    /// <summary>Whether something is mounted at a directory of the running root; null if there is no such directory.</summary>
    private static bool? IsMountPoint(string path) =>
        Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument($"/{path}"), out FileStatus status) == Errno.None && status.Type == FileType.Directory
            ? status.IsMountRoot
            : null;

    /// <summary>Throws <see cref="StoreException"/> if something is mounted below a directory: the overlay would hide it.</summary>
    private static void RequireNothingBelow(string path)
    {
        if (MountTable.PointsBelow($"/{path}").FirstOrDefault(point => point != $"/{path}") is { } point)
        {
            throw new StoreException($"{point}: something is mounted there, which an overlay over /{path} would hide; unmount it first");
        }

        if (path.AsSpan().IndexOfAny(",:\\\"") >= 0)
        {
            throw new StoreException($"/{ByteText.Quote(ByteText.FromArgument(path))}: a path with such characters cannot be given to an overlay");
        }
    }

    /// <summary>Makes the upper directories, with the metadata that the commit has, because an overlay shows that of the upper directory.</summary>
    private void MakeUppers(Commit commit, List<string> covered)
    {
        Directory.CreateDirectory(Upper);
        foreach (string path in covered)
        {
            Directory.CreateDirectory($"{Upper}/{path}");
        }

        // A directory below gives the one above a new time, so the deepest are finished first.
        foreach (string path in covered.SelectMany(WithDirectoriesAbove).Distinct().OrderByDescending(path => path.Length).Append(""))
        {
            _ = TreeWalk.TryFind(store.Packs, commit, ByteText.FromArgument(path), out TreeEntry entry);
            string subject = $"{Upper}/{path}";
            using SafeFileHandle directory = OpenPath.File(subject, OpenFlags.ReadOnly | OpenFlags.Directory);
            Sys.SetOwner(directory, entry.Metadata.Uid, entry.Metadata.Gid).ThrowIfFailed("fchown", subject);
            Xattrs.Set(directory, entry.Xattrs, subject);
            Sys.SetMode(directory, entry.Metadata.Mode).ThrowIfFailed("fchmod", subject);
            Sys.SetTime(directory, entry.Metadata.ModifyTime).ThrowIfFailed("utimensat", subject);
        }
    }

    /// <summary>Mounts an overlay of the kind that <see cref="OverlayBase"/> can read.</summary>
    private static void MountOverlay(string path, string work)
    {
        Directory.CreateDirectory(work);
        string options = $"lowerdir=/{path},upperdir={Upper}/{path},workdir={work},{OverlayBase.MountOptions}";
        ProgramRun run = Tool.Mount.TryRun(["-t", "overlay", "-o", options, Source, $"/{path}"]);
        if (!run.Succeeded)
        {
            bool isKnown = File.ReadLines("/proc/filesystems").Any(line => line.EndsWith("\toverlay", StringComparison.Ordinal));
            throw new StoreException(isKnown
                ? $"/{path}: no overlay can be mounted there: {run.LastWords}"
                : "this kernel has no overlay filesystem, so nothing can be unlocked; `modprobe overlay` loads it where there is one");
        }
    }

    private static IEnumerable<string> WithDirectoriesAbove(string path)
    {
        string[] names = path.Split('/');
        return Enumerable.Range(1, names.Length).Select(depth => string.Join('/', names.Take(depth)));
    }
}
