using HackTree.Linux;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// The two names of a root in the directory above: its own name, and ".NAME.partial", under which it is made, changed and removed. A directory
/// that is not whole never has the root's own name.
/// </summary>
internal sealed class RootSite : IDisposable
{
    private readonly CancellationToken stop;

    /// <param name="path">The root's absolute path.</param>
    /// <param name="parent">The open directory above. It is closed with this object.</param>
    /// <param name="keepsOrder">Whether the filesystem keeps names in order (<see cref="NameOrder"/>).</param>
    /// <param name="stop">The request to stop. After it, large trees are not removed.</param>
    internal RootSite(string path, SafeFileHandle parent, bool keepsOrder, CancellationToken stop)
    {
        this.stop = stop;
        Path = path;
        Parent = parent;
        KeepsOrder = keepsOrder;
        PartialPath = Roots.PartialPath(path);
        Name = RootPath.NameOf(path);
        PartialName = RootPath.NameOf(PartialPath);
    }

    /// <summary>The root's absolute path.</summary>
    internal string Path { get; }

    internal string PartialPath { get; }

    /// <summary>The directory above.</summary>
    internal SafeFileHandle Parent { get; }

    internal bool KeepsOrder { get; }

    /// <summary>The root's own name in <see cref="Parent"/>.</summary>
    internal byte[] Name { get; }

    internal byte[] PartialName { get; }

    /// <summary>
    /// Removes the tree under the partial name, an unfinished tree or a replaced root, if it is <paramref name="owned"/>. Something else with that name
    /// stays. False if something of the tree is left after a request to stop.
    /// </summary>
    internal bool TryRemovePartial(DirectoryIdentity? owned)
    {
        Errno errno = Sys.Stat(Parent, PartialName, out FileStatus status);
        if (errno == Errno.ENOENT)
        {
            return true;
        }

        errno.ThrowIfFailed("statx", PartialPath);
        return owned?.IsInode(status) != true || TryRemove();
    }

    /// <summary>Removes the tree under the partial name. Throws for the first thing that stays, and says so if that is immutable.</summary>
    private bool TryRemove()
    {
        try
        {
            return ParallelRemoval.TryRemove(Parent, PartialName, PartialPath, stop);
        }
        catch (LinuxException e) when (e.Errno == Errno.EPERM && FixedFile.Find(e.Subject) is { } reason)
        {
            throw reason;
        }
    }

    /// <summary>
    /// Removes what an interrupted attempt left under the partial name. Throws <see cref="StoreException"/> if something else is there, and throws if a
    /// request to stop came and something is left.
    /// </summary>
    /// <param name="left">The build record that the interrupted attempt left; null if there is none.</param>
    /// <param name="root">The record of the whole root of that name; null if there is none.</param>
    internal void RemoveLitter(BuildRecord? left, RootRecord? root)
    {
        Errno errno = Sys.Stat(Parent, PartialName, out FileStatus status);
        if (errno == Errno.ENOENT)
        {
            return;
        }

        errno.ThrowIfFailed("statx", PartialPath);

        bool isOwned = left?.Owns(status, root) == true;

        // A directory that was made and not recorded is empty.
        if (!isOwned && (left is null || left.Directory is not null || Sys.RemoveDirectory(Parent, PartialName) != Errno.None))
        {
            throw new StoreException($"{PartialPath}: it is in the way, and this store does not know it; move it away, or remove it if nobody needs it");
        }

        if (isOwned && !TryRemove())
        {
            stop.ThrowIfCancellationRequested();
        }

        if (!KeepsOrder)
        {
            // The record that tells of it is written over next.
            SyncNames();
        }
    }

    /// <summary>
    /// Renames the root at <paramref name="path"/>, in the open directory <paramref name="parent"/>, to the partial name.
    /// </summary>
    internal Errno MoveToPartialName(SafeFileHandle parent, string path) => Sys.RenameNew(parent, RootPath.NameOf(path), Parent, PartialName);

    /// <summary>Makes names that were renamed and removed in the directory above durable.</summary>
    internal void SyncNames() => Sys.Sync(Parent).ThrowIfFailed("fsync", Path);

    public void Dispose() => Parent.Dispose();
}
