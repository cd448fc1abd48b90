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
    /// Removes the tree under the partial name: what an interrupted attempt left, an unfinished tree, or a replaced root. False if
    /// something is left after a request to stop.
    /// </summary>
    internal bool TryRemovePartial() => ParallelRemoval.TryRemove(Parent, PartialName, PartialPath, stop);

    /// <summary>Removes what an interrupted attempt left under the partial name. Throws if a request to stop came and something is left.</summary>
    internal void RemoveLitter()
    {
        if (!TryRemovePartial())
        {
            stop.ThrowIfCancellationRequested();
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
