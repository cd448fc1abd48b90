using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>Describes the root to make.</summary>
/// <param name="Commit">The root's commit.</param>
/// <param name="Revision">The commit as the user named it, for the record.</param>
/// <param name="Method">How its files are made.</param>
/// <param name="IsWhole">Whether it has the whole tree. A part of a tree is no root.</param>
/// <param name="Force">Whether it may replace an existing directory.</param>
/// <param name="OwnsEtc">Whether the files below its /etc belong to it alone, whatever the method.</param>
internal sealed record RootPlan(Digest Commit, string Revision, CheckoutMethod Method, bool IsWhole, bool Force, bool OwnsEtc = false);

/// <summary>
/// A place that is reserved for a root. The steps that make the root are methods of the states, and each returns the next state:
/// <see cref="RootPlace"/>, <see cref="Unfinished"/>, <see cref="Whole"/>, <see cref="Named"/>. A step that is repeated, or comes after the tree
/// was removed, throws. The table says what a crash leaves after each step. A root under its own name is always whole, and its record is true.
/// <code>
/// step                                              gc sees the directory of the record    gc
/// Reserve    take the turn                          no record                              does nothing
/// Begin      write the build record                 nowhere                                deletes the record
///            remove .NAME.partial, and make it      nowhere                                removes .NAME.partial, deletes the record
///            write its directory into the record    as .NAME.partial                       the same
/// (fill), Finish                                    as .NAME.partial                       the same
/// PutInPlace rename it, or exchange it with NAME    as NAME                                removes .NAME.partial, writes its record, deletes the build record
/// Seal       write the root's record                as NAME, which is recorded             removes .NAME.partial, deletes the build record
///            remove .NAME.partial: the replaced     as NAME, which is recorded             deletes the build record
///            delete the build record                no build record                        does nothing
/// </code>
/// A part of a tree, or a copy on another filesystem, is no root, so gc writes no record for it.
/// <para>
/// A root that is turned into another commit goes the same way, with <see cref="MoveIn"/> instead of Begin: its directory is recorded, and then
/// renamed to .NAME.partial. A change to the root survives a power cut only if its build record does. If the old place is the new one, the
/// directory is recorded after the renaming, because a build record's directory under the name NAME means that the new root is whole.
/// </para>
/// </summary>
internal sealed partial class RootPlace : IDisposable
{
    private readonly ObjectStore store;
    private readonly RootPlan plan;
    private readonly RootSite site;
    private readonly RootTurn? turn;
    private readonly ulong above;
    private readonly bool becomesRoot;

    // The directory in the build record.
    private DirectoryIdentity? made;
    // What has the partial name. Something else with that name is not touched.
    private DirectoryIdentity? partial;
    private bool isRecorded;
    private State state;

    private RootPlace(ObjectStore store, RootPlan plan, string path, SafeFileHandle parent)
    {
        this.store = store;
        this.plan = plan;
        Sys.Stat(parent, out FileStatus status).ThrowIfFailed("statx", path);
        above = status.Inode;
        bool isOneFilesystem = status.Device == store.Identity().Device;
        if (!isOneFilesystem && plan.Method is CheckoutMethod.Hardlink or CheckoutMethod.Image)
        {
            throw new StoreException(
                $"{path}: hardlinks need one filesystem, and the store {store.Path} is on another; use --copy, or a place beside the store");
        }

        // A part of a tree, or a copy on another filesystem, is no root: it has a record only while it is built.
        becomesRoot = plan.IsWhole && isOneFilesystem;
        site = new RootSite(path, parent, keepsOrder: isOneFilesystem && NameOrder.IsKept(parent), store.Stop);
        turn = TakeTurn(store, path, becomesRoot);
    }

    private enum State
    {
        Reserved,
        Begun,
        Unfinished,
        Whole,
        Named,
        Sealed,
        Ended,
    }

    /// <summary>Another process has the turn to make a root there.</summary>
    internal sealed class TakenException(string message) : StoreException(message);

    /// <summary>The absolute path of the root.</summary>
    internal string Path => site.Path;

    /// <summary>The path of what is being made.</summary>
    internal string PartialPath => site.PartialPath;

    /// <summary>The turn to make the root. Every root of this store has one.</summary>
    internal RootTurn Turn => turn ?? throw new InvalidOperationException($"{Path}: no root of this store is made here");

    /// <summary>
    /// Reserves a place. Throws <see cref="StoreException"/> if something is there already, if no root can be there, or while another process
    /// makes a root there.
    /// </summary>
    internal static RootPlace Reserve(ObjectStore store, string destination, RootPlan plan)
    {
        string path = RealPath.OfName(destination);
        RootPath.Require(store, path);
        SafeFileHandle parent = RootPath.OpenParent(path);
        RootPlace? place = null;
        try
        {
            // With the turn, the root stays as it is: no process can pin it after it was found unpinned.
            place = new RootPlace(store, plan, path, parent);
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

    /// <summary>
    /// Makes the top directory under the partial name. <paramref name="maker"/> can fill it then. After a failure call
    /// <see cref="RemoveUnfinished"/>.
    /// </summary>
    internal Unfinished Begin(TreeMaker maker, in TreeEntry top)
    {
        Prepare();
        maker.Begin(site.Parent, site.PartialName, top);
        return Made();
    }

    /// <summary>Makes an empty directory under the partial name, which only its owner may enter.</summary>
    internal Unfinished BeginEmpty()
    {
        Prepare();
        Sys.MakeDirectory(site.Parent, site.PartialName, FileModes.OwnerOnly).ThrowIfFailed("mkdirat", Path);
        return Made();
    }

    private void Prepare()
    {
        Pass(State.Reserved, State.Begun);
        RemoveLitter();
        Record(directory: null);
    }

    private Unfinished Made()
    {
        Errno errno = Sys.Stat(site.Parent, site.PartialName, out FileStatus status);
        if (errno != Errno.None)
        {
            // Without its inode nothing could tell later that the directory is ours. It is empty.
            _ = Sys.RemoveDirectory(site.Parent, site.PartialName);
            throw new LinuxException(errno, "statx", Path);
        }

        partial = DirectoryIdentity.Of(status);
        Record(partial);
        Pass(State.Begun, State.Unfinished);
        return new Unfinished(this);
    }

    /// <summary>
    /// Gives the partial name to a root that is to be changed. After a failure here, the root still has its own name, or has it again.
    /// </summary>
    internal Unfinished MoveIn(OldRoot old)
    {
        Pass(State.Reserved, State.Begun);
        bool isSamePlace = old.Path == Path;
        RemoveLitter();
        Record(isSamePlace ? null : old.Directory);
        Errno errno = site.MoveToPartialName(old.Parent, old.Path);
        if (errno != Errno.None)
        {
            turn?.DeleteBuildRecord();
            throw errno == Errno.EXDEV
                ? new StoreException($"{Path}: it is on another filesystem than {old.Path}; a root can only become one on its own filesystem")
                : new LinuxException(errno, "renameat2", old.Path);
        }

        Pass(State.Begun, State.Unfinished);
        partial = old.Directory;
        try
        {
            if (!site.KeepsOrder)
            {
                Sys.Sync(old.Parent).ThrowIfFailed("fsync", old.Path);
            }

            if (isSamePlace)
            {
                Record(old.Directory);
            }
        }
        catch (LinuxException)
        {
            MoveBack(old);
            throw;
        }

        return new Unfinished(this);
    }

    /// <summary>Gives a root its own name again, if it is as it was before <see cref="MoveIn"/>. False if that fails.</summary>
    internal bool MoveBack(OldRoot old)
    {
        RequireUnnamed();
        bool isMistakable = old.Path == Path && made is not null && !TryRecordNoDirectory();
        if (Sys.RenameNew(site.Parent, site.PartialName, old.Parent, RootPath.NameOf(old.Path)) != Errno.None)
        {
            return false;
        }

        try
        {
            turn?.DeleteBuildRecord();
        }
        catch (LinuxException) when (!isMistakable)
        {
            // gc deletes the record.
        }

        state = State.Ended;
        return true;
    }

    /// <summary>Opens the directory that has the partial name.</summary>
    internal SafeFileHandle OpenUnfinished(out FileStatus status)
    {
        RequireUnnamed();
        Sys.Stat(site.Parent, site.PartialName, out status).ThrowIfFailed("statx", Path);
        Errno errno = Sys.Open(site.Parent, site.PartialName, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out SafeFileHandle top);
        errno.ThrowIfFailed("openat", Path);
        return top;
    }

    /// <summary>
    /// Removes the tree that was begun, after a failure or a request to stop. False if something cannot be removed now; its record stays,
    /// so that gc removes it.
    /// </summary>
    internal bool RemoveUnfinished()
    {
        RequireUnnamed();
        state = State.Ended;
        try
        {
            if (!site.TryRemovePartial(partial))
            {
                return false;
            }

            // Before this process has written its record, the record is that of an earlier one, whose litter may be there.
            if (isRecorded)
            {
                turn?.DeleteBuildRecord();
            }

            return true;
        }
        catch (Exception e) when (e is LinuxException or StoreException)
        {
            // The user must learn of the first failure, not of a failed removal.
            return false;
        }
    }

    /// <summary>Lets other processes make a root here.</summary>
    public void Dispose()
    {
        turn?.Dispose();
        site.Dispose();
    }

    /// <summary>Refuses a destination that exists, unless it may be replaced.</summary>
    private void RequireFree()
    {
        if (Sys.Stat(site.Parent, site.Name, out FileStatus taken) != Errno.None)
        {
            return;
        }

        if (!plan.Force)
        {
            throw new StoreException($"{Path}: it exists already; choose another name, or replace it with --force");
        }

        if (taken.IsMountRoot)
        {
            throw new StoreException($"{Path}: something is mounted there, which --force does not replace; unmount it, or choose another name");
        }

        RootUse.RequireFree(store, Path, taken, store.Roots.FindByPath(Path));
    }

    /// <summary>
    /// Takes the turn, so that only one process makes a root of a name. Null if the store cannot be written to (a read-only mount). That does not
    /// prevent a copy elsewhere, because copies are not recorded.
    /// </summary>
    private static RootTurn? TakeTurn(ObjectStore store, string path, bool mustRecord)
    {
        try
        {
            return store.Roots.TryTakeTurnAt(path, out RootTurn? turn)
                ? turn
                : throw new TakenException($"{path}: another process is building it; wait for that one, or choose another name");
        }
        catch (LinuxException e) when (!mustRecord && e.Errno is Errno.EROFS or Errno.EACCES)
        {
            return null;
        }
    }

    /// <summary>
    /// Writes the build record, with the directory that is being made, if there is one. A later name survives a power cut only if the
    /// record does.
    /// </summary>
    private void Record(DirectoryIdentity? directory)
    {
        isRecorded = true;
        turn?.Write(NewRecord(directory), inOrder: site.KeepsOrder);
        made = directory;
    }

    /// <summary>Writes into the build record what the new root replaces, before the two are exchanged. Returns its identity.</summary>
    private DirectoryIdentity RecordReplaced()
    {
        Sys.Stat(site.Parent, site.Name, out FileStatus status).ThrowIfFailed("statx", Path);
        var replaced = DirectoryIdentity.Of(status);
        turn?.Write(NewRecord(made) with { Replaced = replaced }, inOrder: site.KeepsOrder);
        return replaced;
    }

    private void RemoveLitter() => site.RemoveLitter(
        turn is null ? null : store.Roots.Read(Roots.PartialName(turn.Name)) as BuildRecord, turn is null ? null : store.Roots.Find(turn.Name));

    /// <summary>
    /// Removes the directory from the build record before the old root gets its own name again. With the directory, the record would say
    /// that the new root is whole. False on a full disk, for example.
    /// </summary>
    private bool TryRecordNoDirectory()
    {
        try
        {
            Record(directory: null);
            return true;
        }
        catch (LinuxException)
        {
            return false;
        }
    }

    private void RecordRoot(in FileStatus status)
    {
        if (made?.IsOf(status) != true)
        {
            throw new StoreException($"{Path}: somebody put another directory there before the new root was recorded");
        }

        Turn.Write(RootRecord.OfUnsealed(NewRecord(made)) with { SealedAt = status.ChangeTime.ToNanoseconds() });
    }

    private BuildRecord NewRecord(DirectoryIdentity? directory) => new()
    {
        Path = store.Roots.RecordedPath(Path),
        Commit = plan.Commit,
        Revision = plan.Revision,
        Time = DateTimeOffset.UtcNow.ToUnixTimeSeconds(),
        Method = plan.Method,
        Directory = directory,
        Above = above,
        OwnsEtc = plan.OwnsEtc,
        BecomesRoot = becomesRoot,
    };

    /// <summary>Throws if a step is out of order.</summary>
    private void Require(params ReadOnlySpan<State> allowed)
    {
        if (!allowed.Contains(state))
        {
            throw new InvalidOperationException($"{Path}: a step out of order, the root is {state}");
        }
    }

    private void Pass(State from, State to)
    {
        Require(from);
        state = to;
    }

    /// <summary>
    /// Throws once the new root has its own name. From then on the directory with the partial name may be the root that was replaced.
    /// </summary>
    private void RequireUnnamed() => Require(State.Reserved, State.Begun, State.Unfinished, State.Whole);
}
