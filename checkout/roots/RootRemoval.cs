using HackTree.Linux;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Removes a root. The root gets its partial name before anything in it is removed, so a half-removed root never has a root's name. After a crash
/// it is litter, which gc removes (<see cref="RootPlace"/>).
/// </summary>
/// <remarks>
/// A full disk may have no room for the build record, which tells gc of the litter, or for the turn. A user frees a full disk by removing roots. So the
/// root then goes by way of the store's tmp/, where all is litter, while no other process uses the store, which takes the place of the turn.
/// </remarks>
public static class RootRemoval
{
    /// <summary>
    /// Removes the root with this record name or path. Throws <see cref="StoreException"/> if the store has no record of it, if it is
    /// pinned, running or mounted in, or if it is not the directory in its record.
    /// </summary>
    /// <param name="store">The store.</param>
    /// <param name="nameOrPath">The name of the root's record, or its path.</param>
    /// <param name="mayWait">Whether it may wait on a full disk until no other process uses the store. Not while this process holds a lock that comes
    /// after the store's.</param>
    public static void Run(ObjectStore store, string nameOrPath, bool mayWait = false)
    {
        string name = UnrecordedRoot.Require(store, nameOrPath);
        try
        {
            RunInTurn(store, name, nameOrPath);
        }
        catch (LinuxException e) when (mayWait && e.Errno is (Errno.ENOSPC or Errno.EDQUOT))
        {
            SetAside? aside = null;
            if (!store.RunAlone(name, turn => TryMoveAside(store, turn, out aside)))
            {
                throw;
            }

            aside?.Remove();
        }
    }

    private static void RunInTurn(ObjectStore store, string name, string nameOrPath)
    {
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
            RequireFree(store, path, record, status);
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

    /// <summary>
    /// Moves a root to the store's tmp/, if it is there, and deletes its record. False if a removal has begun, or if the root is on another filesystem.
    /// </summary>
    private static bool TryMoveAside(ObjectStore store, RootTurn turn, out SetAside? aside)
    {
        aside = null;
        if (store.Roots.Find(turn.Name) is not { } record || store.Roots.Read(Roots.PartialName(turn.Name)) is not null)
        {
            return false;
        }

        string path = store.Roots.AbsolutePath(record);
        RootUse.RequireUnpinned(path, record);
        if (Directory.Exists(Path.GetDirectoryName(path)))
        {
            using SafeFileHandle parent = RootPath.OpenParent(path);
            if (Sys.Stat(parent, RootPath.NameOf(path), out FileStatus status) == Errno.None)
            {
                if (status.Device != store.Identity().Device)
                {
                    return false;
                }

                RequireFree(store, path, record, status);
                aside = new SetAside(store, RootPath.NameOf(path), path);
                aside.MoveOut(parent);
                Sys.Sync(parent).ThrowIfFailed("fsync", path);
            }
        }

        turn.DeleteRecord();
        return true;
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

    /// <summary>Throws <see cref="StoreException"/>, with the reason, if the root must stay. Ends its read-only mount.</summary>
    private static void RequireFree(ObjectStore store, string path, RootRecord record, in FileStatus status)
    {
        RootUse.RequireUnpinned(path, record);
        if (!record.IsOf(status))
        {
            RootUse.RequireNotHidden(path, status);
            throw new StoreException($"{path}: it is not the directory that was checked out there", new Remedy.RemoveByHand());
        }

        RootUse.RequireFree(store, path, status, record, withReadOnlyMount: false);
        ReadOnlyMount.End(path);
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
