using HackTree.Linux;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Takes a root away. It gets its partial name before anything in it goes, so that a half-removed one never has a root's
/// name; a crash leaves what gc knows as litter (<see cref="RootPlace"/>).
/// </summary>
public static class RootRemoval
{
    /// <summary>
    /// Removes a root, called by the name of its record or by its path. Throws <see cref="StoreException"/> where the store has
    /// no record of it, or it is pinned, running, mounted in, or not the directory that was recorded.
    /// </summary>
    public static void Run(ObjectStore store, string nameOrPath)
    {
        store.RequireWritable();
        string name = store.Roots.Require(nameOrPath);
        using IDisposable turn = store.Roots.TakeTurn(name, nameOrPath);
        RootRecord record = store.Roots.Find(name)
            ?? throw new StoreException($"{nameOrPath}: another process has just removed it");
        string path = store.Roots.AbsolutePath(record);
        RootUse.RequireUnpinned(path, record);
        if (!Directory.Exists(Path.GetDirectoryName(path)))
        {
            store.Roots.Remove(name);
            return;
        }

        using SafeFileHandle parent = RootPath.OpenParent(path);
        Errno errno = Sys.Stat(parent, RootPath.NameOf(path), out FileStatus status);
        if (errno != Errno.ENOENT)
        {
            errno.ThrowIfFailed("statx", path);
            RequireRecorded(path, record, status);
            RootUse.RequireFree(store, path, status, record);
            MoveAway(store, parent, path, name, PartialRecord(parent, path, record, status));
        }

        store.Roots.Remove(name);
        if (!ParallelRemoval.TryRemove(parent, RootPath.NameOf(Roots.PartialPath(path)), path, store.Stop))
        {
            throw new StoppedException($"{path} is gone, and gc removes what is left of it");
        }

        if (!NameOrder.IsKept(parent))
        {
            // The record says what to remove: it must not go before that has.
            Sys.Sync(parent).ThrowIfFailed("fsync", path);
        }

        store.Roots.Remove(Roots.PartialName(name));
    }

    private static void RequireRecorded(string path, RootRecord record, in FileStatus status)
    {
        if (!record.IsOf(status))
        {
            throw new StoreException($"{path}: it is not the directory that was checked out there", new Remedy.RemoveByHand());
        }
    }

    private static RootRecord PartialRecord(SafeFileHandle parent, string path, RootRecord record, in FileStatus status)
    {
        Sys.Stat(parent, out FileStatus above).ThrowIfFailed("statx", path);
        return record.Of(status) with { State = RootState.Partial, Above = above.Inode, IsRoot = false, Sealed = null };
    }

    private static void MoveAway(ObjectStore store, SafeFileHandle parent, string path, string name, RootRecord partial)
    {
        byte[] partialName = RootPath.NameOf(Roots.PartialPath(path));
        _ = ParallelRemoval.TryRemove(parent, partialName, path, store.Stop);
        store.Stop.ThrowIfCancellationRequested();
        store.Roots.Write(Roots.PartialName(name), partial);
        Sys.RenameNew(parent, RootPath.NameOf(path), parent, partialName).ThrowIfFailed("renameat2", path);
        Sys.Sync(parent).ThrowIfFailed("fsync", path);
    }
}
