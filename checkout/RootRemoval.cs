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
        using SafeFileHandle parent = RootPlace.OpenParent(path);
        Errno errno = Sys.Stat(parent, RootPlace.NameOf(path), out FileStatus status);
        if (errno != Errno.ENOENT)
        {
            errno.ThrowIfFailed("statx", path);
            RequireRecorded(path, record, status);
            RootUse.RequireUnused(path, status);
            MoveAway(store, parent, path, name, record with { State = RootState.Partial, Inode = status.Inode, IsRoot = false, Sealed = null });
        }

        store.Roots.Remove(name);
        ParallelRemoval.Remove(parent, RootPlace.NameOf(Roots.PartialPath(path)), path);
        store.Roots.Remove(Roots.PartialName(name));
    }

    private static void RequireRecorded(string path, RootRecord record, in FileStatus status)
    {
        if (status.Type != FileType.Directory || (record.Inode is { } inode && inode != status.Inode))
        {
            throw new StoreException($"{path}: it is not the directory that was checked out there; remove it by hand, and `hacktree gc` forgets the record");
        }
    }

    private static void MoveAway(ObjectStore store, SafeFileHandle parent, string path, string name, RootRecord partial)
    {
        byte[] partialName = RootPlace.NameOf(Roots.PartialPath(path));
        ParallelRemoval.Remove(parent, partialName, path);
        store.Roots.Write(Roots.PartialName(name), partial);
        Sys.RenameNew(parent, RootPlace.NameOf(path), parent, partialName).ThrowIfFailed("renameat2", path);
        Sys.Sync(parent).ThrowIfFailed("fsync", path);
    }
}
