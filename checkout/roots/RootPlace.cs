using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>What a root will be.</summary>
/// <param name="Commit">The commit it shows.</param>
/// <param name="Revision">The commit as the user named it, for the record.</param>
/// <param name="Method">How its files are made.</param>
/// <param name="IsWhole">Whether it is the whole tree; a part of one is no root.</param>
/// <param name="Force">Whether it may replace what is there.</param>
/// <param name="Boot">Whether it is made to be booted: with an /etc of its own.</param>
internal sealed record RootPlan(Digest Commit, string Revision, CheckoutMethod Method, bool IsWhole, bool Force, bool Boot = false);

/// <summary>
/// A place where a root is made. Order of steps, so that a root of that name is always whole and its record true: write a
/// partial record, make .NAME.partial, rename it (or exchange it with what --force replaces), write the ready record,
/// remove the partial one. A crash leaves a partial record with the inode of what was made: gc finds that inode under
/// the partial name, where it is litter, or under the final one, where it is a whole root to be recorded.
/// </summary>
internal sealed class RootPlace : IDisposable
{
    private readonly ObjectStore store;
    private readonly RootPlan plan;
    private readonly ulong above;
    private readonly bool isRoot;
    private readonly bool keepsOrder;
    private readonly IDisposable? turn;
    private readonly string name;

    private RootPlace(ObjectStore store, SafeFileHandle parent, string path, RootPlan plan)
    {
        this.store = store;
        this.plan = plan;
        Parent = parent;
        Path = path;
        Sys.Stat(parent, out FileStatus status).ThrowIfFailed("statx", path);
        above = status.Inode;
        bool isOneFilesystem = status.Device == store.Identity().Device;
        if (!isOneFilesystem && plan.Method == CheckoutMethod.Hardlink)
        {
            throw new StoreException($"{path}: hardlinks need one filesystem, and the store {store.Path} is on another; use --copy, or a place beside the store");
        }

        // A part of a tree, or a copy elsewhere, is not a root: its record lasts only while it is built.
        isRoot = plan.IsWhole && isOneFilesystem;
        keepsOrder = isOneFilesystem && NameOrder.IsKept(parent);
        turn = TakeTurn(store, path, isRoot, out name);
    }

    /// <summary>The final path, absolute.</summary>
    internal string Path { get; }

    /// <summary>The directory it stands in.</summary>
    internal SafeFileHandle Parent { get; }

    /// <summary>The name in <see cref="Parent"/> under which it is made.</summary>
    internal byte[] PartialName => RootPath.NameOf(PartialPath);

    private string PartialPath => Roots.PartialPath(Path);

    /// <summary>
    /// Takes a place. Throws <see cref="StoreException"/> where something is there already, where no root can be, or while
    /// somebody else builds one there.
    /// </summary>
    internal static RootPlace Take(ObjectStore store, string destination, RootPlan plan)
    {
        string path = RealPath.OfName(destination);
        RootPath.Require(store, path);
        SafeFileHandle parent = RootPath.OpenParent(path);
        RootPlace? place = null;
        try
        {
            // Who has the turn has the root: nobody pins what was found unpinned.
            place = new RootPlace(store, parent, path, plan);
            place.RequireFree();
            return place;
        }
        catch
        {
            place?.Dispose();
            parent.Dispose();
            throw;
        }
    }

    /// <summary>Says what is being made here, by its inode once there is one; no later name survives a power cut that this does not.</summary>
    internal void Record(FileStatus? made)
    {
        if (turn is not null)
        {
            RootRecord record = NewRecord(RootState.Partial) with { IsRoot = isRoot };
            store.Roots.Write(Roots.PartialName(name), made is { } status ? record.Of(status) : record, inOrder: keepsOrder);
        }
    }

    /// <summary>
    /// Gives a root that is to be changed the partial name: no change to it survives a power cut that this does not. While it still has
    /// its own name, no record may say that this inode under the new root's name is the new root: so where the two
    /// names are one, the inode is recorded after the renaming, which is undone if it cannot be.
    /// </summary>
    internal void TakeIn(OldRoot old)
    {
        bool isSamePlace = old.Path == Path;
        Record(isSamePlace ? null : old.Status);
        Clear();
        Errno errno = Sys.RenameNew(old.Parent, RootPath.NameOf(old.Path), Parent, PartialName);
        if (errno != Errno.None)
        {
            Forget();
            throw errno == Errno.EXDEV
                ? new StoreException($"{Path}: it is on another filesystem than {old.Path}; a root can only become one on its own filesystem")
                : new LinuxException(errno, "renameat2", old.Path);
        }

        try
        {
            if (!keepsOrder)
            {
                Sys.Sync(old.Parent).ThrowIfFailed("fsync", old.Path);
            }

            if (isSamePlace)
            {
                Record(old.Status);
            }
        }
        catch (LinuxException)
        {
            GiveBack(old);
            throw;
        }
    }

    /// <summary>Gives a root that is as it was its name again.</summary>
    internal bool GiveBack(OldRoot old)
    {
        bool isBack = Sys.RenameNew(Parent, PartialName, old.Parent, RootPath.NameOf(old.Path)) == Errno.None;
        if (isBack)
        {
            Forget();
        }

        return isBack;
    }

    /// <summary>Removes what stands under the partial name from an earlier try that was interrupted.</summary>
    internal void Clear()
    {
        _ = TryClear();
        store.Stop.ThrowIfCancellationRequested();
    }

    /// <summary>
    /// Removes what was made, after a failure or a request to stop. What cannot be removed now keeps the record that gc goes by: false then.
    /// </summary>
    internal bool Abandon()
    {
        try
        {
            if (!TryClear())
            {
                return false;
            }

            Forget();
            return true;
        }
        catch (LinuxException)
        {
            // The first failure is the one to tell, not that of the removal.
            return false;
        }
    }

    private bool TryClear() => ParallelRemoval.TryRemove(Parent, PartialName, PartialPath, store.Stop);

    /// <summary>Takes the partial record away.</summary>
    internal void Forget()
    {
        if (turn is not null)
        {
            store.Roots.Remove(Roots.PartialName(name));
        }
    }

    /// <summary>Gives what was made its final name.</summary>
    internal void GiveName()
    {
        // What hardlinks hold was synced with their commit.
        if (plan.Method != CheckoutMethod.Hardlink || plan.Boot || !keepsOrder)
        {
            Sys.SyncFilesystem(Parent).ThrowIfFailed("syncfs", Path);
        }

        Errno errno = Sys.RenameNew(Parent, PartialName, Parent, RootPath.NameOf(Path));
        if (errno == Errno.EEXIST && plan.Force)
        {
            // It may have been put to use, or have come, while the new one was built.
            RequireFree();
            errno = Sys.Exchange(Parent, PartialName, Parent, RootPath.NameOf(Path));
        }

        if (errno == Errno.EEXIST)
        {
            throw new StoreException($"{Path}: somebody made it while it was being built; remove one of the two");
        }

        errno.ThrowIfFailed("renameat2", Path);
    }

    /// <summary>Records the root that has its name, and removes what it replaced.</summary>
    internal void Complete()
    {
        if (!isRoot || !keepsOrder)
        {
            // Before the partial record goes: btrfs could lose the new name and keep what is written to the store after it.
            Sys.Sync(Parent).ThrowIfFailed("fsync", Path);
        }

        if (isRoot)
        {
            Sys.Stat(Parent, RootPath.NameOf(Path), out FileStatus status).ThrowIfFailed("statx", Path);
            store.Roots.Write(name, NewRecord(RootState.Ready).Of(status) with { Sealed = status.ChangeTime.ToNanoseconds() });
        }

        // The new root is there and recorded: an old one that cannot be removed (something is mounted in it), or not soon enough, is left to gc.
        if (!TryClear())
        {
            return;
        }

        if (plan.Force && !keepsOrder)
        {
            // Else btrfs could lose the record and keep what was replaced, of which nobody would know any more.
            Sys.Sync(Parent).ThrowIfFailed("fsync", Path);
        }

        Forget();
    }

    /// <summary>Lets others build here.</summary>
    public void Dispose()
    {
        turn?.Dispose();
        Parent.Dispose();
    }

    /// <summary>Refuses a destination that is taken, or is to be replaced and must stay.</summary>
    private void RequireFree()
    {
        if (Sys.Stat(Parent, RootPath.NameOf(Path), out FileStatus taken) != Errno.None)
        {
            return;
        }

        if (!plan.Force)
        {
            throw new StoreException($"{Path}: it exists already; choose another name, or replace it with --force");
        }

        if (taken.IsMountRoot)
        {
            throw new StoreException($"{Path}: a filesystem is mounted there, which --force does not replace; choose another name");
        }

        RootUse.RequireFree(store, Path, taken, store.Roots.FindByPath(Path));
    }

    /// <summary>
    /// Only one process builds a root of a name. Null where the store cannot be written to (a read-only mount), which is
    /// no obstacle to a copy elsewhere: nothing of that is recorded.
    /// </summary>
    private static IDisposable? TakeTurn(ObjectStore store, string path, bool mustRecord, out string name)
    {
        while (true)
        {
            name = store.Roots.NameFor(path);
            try
            {
                if (!store.Roots.TryTakeTurn(name, out IDisposable? turn))
                {
                    throw new StoreException($"{path}: another process is building it; wait for that one, or choose another name");
                }

                // Before the turn was ours, a root elsewhere may have got that name.
                if (store.Roots.NameFor(path) == name)
                {
                    return turn;
                }

                turn.Dispose();
            }
            catch (LinuxException e) when (!mustRecord && e.Errno is Errno.EROFS or Errno.EACCES)
            {
                return null;
            }
        }
    }

    private RootRecord NewRecord(RootState state) => new()
    {
        Path = store.Roots.RecordedPath(Path),
        Commit = plan.Commit.ToString(),
        Revision = plan.Revision,
        Time = DateTimeOffset.UtcNow.ToUnixTimeSeconds(),
        Method = plan.Method,
        State = state,
        Boot = plan.Boot ? true : null,
        Above = above,
    };
}
