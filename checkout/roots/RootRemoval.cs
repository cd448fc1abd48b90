using HackTree.Linux;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Removes a root. The root gets its partial name before anything in it is removed, so a half-removed root never has a root's name. After a crash
/// it is litter, which gc removes (<see cref="RootPlace"/>).
/// </summary>
public static class RootRemoval
{
    /// <summary>
    /// Removes the root with this record name or path. Throws <see cref="StoreException"/> if the store has no record of it, if it is
    /// pinned, running or mounted in, or if it is not the directory in its record.
    /// </summary>
    public static void Run(ObjectStore store, string nameOrPath)
    {
        string name = UnrecordedRoot.Require(store, nameOrPath);
        using RootTurn turn = store.Roots.TakeTurn(name, nameOrPath);
        RootRecord record = store.Roots.Find(name)
            ?? throw new StoreException($"{nameOrPath}: another process has just removed it");
        string path = store.Roots.AbsolutePath(record);
        RootUse.RequireUnpinned(path, record);
        if (!Directory.Exists(Path.GetDirectoryName(path)))
        {
            turn.DeleteRecord();
            return;
        }

        SafeFileHandle parent = RootPath.OpenParent(path);
        using var site = new RootSite(path, parent, NameOrder.IsKept(parent), store.Stop);
        var left = store.Roots.Read(Roots.PartialName(name)) as BuildRecord;
        DirectoryIdentity? removed = left?.Directory;
        Errno errno = Sys.Stat(parent, site.Name, out FileStatus status);
        if (errno != Errno.ENOENT)
        {
            errno.ThrowIfFailed("statx", path);
            RequireRecorded(path, record, status);
            RootUse.RequireFree(store, path, status, record, withReadOnlyMount: false);
            ReadOnlyMount.End(path);
            removed = DirectoryIdentity.Of(status);
            site.RemoveLitter(left, record);
            MoveAway(site, turn, record, status);
        }

        turn.DeleteRecord();
        if (!TryRemove(site, removed))
        {
            throw new StoppedException($"{path} is gone, and gc removes what is left of it");
        }

        if (!site.KeepsOrder)
        {
            // The build record says what to remove, so the removal must be durable before the record goes.
            site.SyncNames();
        }

        turn.DeleteBuildRecord();
    }

    private static bool TryRemove(RootSite site, DirectoryIdentity? removed)
    {
        try
        {
            return site.TryRemovePartial(removed);
        }
        catch (StoreException e) when (e.Remedy is { } first)
        {
            throw new StoreException($"{site.Path} is gone, but not all of it: {e.Message}", new Remedy.Both(first, new Remedy.CollectGarbage()));
        }
    }

    private static void RequireRecorded(string path, RootRecord record, in FileStatus status)
    {
        if (!record.IsOf(status))
        {
            RootUse.RequireNotHidden(path, status);
            throw new StoreException($"{path}: it is not the directory that was checked out there", new Remedy.RemoveByHand());
        }
    }

    private static void MoveAway(RootSite site, RootTurn turn, RootRecord record, in FileStatus status)
    {
        Sys.Stat(site.Parent, out FileStatus above).ThrowIfFailed("statx", site.Path);
        turn.Write(BuildRecord.OfRemoval(record, DirectoryIdentity.Of(status), above.Inode), inOrder: false);
        Errno errno = site.MoveToPartialName(site.Parent, site.Path);
        if (errno == Errno.EPERM && FixedFile.Find(site.Parent, site.Name, site.Path) is { } reason)
        {
            turn.DeleteBuildRecord();
            throw reason;
        }

        errno.ThrowIfFailed("renameat2", site.Path);
        site.SyncNames();
    }
}
