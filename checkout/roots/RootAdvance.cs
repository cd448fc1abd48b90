using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>The result of an advance.</summary>
/// <param name="Path">The absolute path of the new root.</param>
/// <param name="Changes">The number of names that were made, replaced or removed.</param>
/// <param name="Files">The number of names in the whole root, without directories.</param>
/// <param name="Unrestored">What an ordinary user could not restore of the names that were made.</param>
public sealed record AdvanceResult(string Path, long Changes, long Files, Unrestored Unrestored);

/// <summary>
/// Turns a root that nobody uses into another commit, by the difference of the two trees. The old root gets the new root's partial name before
/// anything in it changes, so a half-changed root never has a root's name. After a crash there is the old root, or litter for gc, or the new root
/// (<see cref="RootPlace"/>). A full checkout is always possible afterwards. If either root has an /etc of its own, the new one gets the commit's
/// anew, and the old one is set aside until then.
/// </summary>
public static class RootAdvance
{
    // The longest time between two steps of the kernel's clock, in nanoseconds. A change right after a root was sealed may have the same
    // time.
    private const long LongestTick = 20_000_000;

    private static readonly byte[] EtcName = [.. "etc"u8];

    /// <summary>
    /// Makes <paramref name="destination"/> from the root at <paramref name="from"/>, which is gone then. Both may be the same path. Throws
    /// <see cref="StoreException"/> if that root is in use or pinned, if this store did not make it of hardlinks, or if it is not the
    /// directory in its record.
    /// </summary>
    public static AdvanceResult Run(ObjectStore store, string from, Digest commitDigest, string revision, string destination, CheckoutOptions options)
    {
        store.RequireWritable();
        Commit commit = store.Packs.ReadCommit(commitDigest);
        string oldPath = RealPath.OfName(from);
        bool isSamePlace = RealPath.OfName(destination) == oldPath;
        var plan = new RootPlan(commitDigest, revision, CheckoutMethod.Hardlink, IsWhole: true, options.Force || isSamePlace, options.Boot);

        // With the turn, the root stays as it is found from here on.
        using RootTurn? otherTurn = isSamePlace ? null : store.Roots.TakeTurnAt(oldPath);
        using RootPlace place = RootPlace.Reserve(store, destination, plan);
        RootTurn oldTurn = otherTurn ?? place.Turn;
        using OldRoot old = OldRoot.Require(store, oldPath, movesEtc: options.Boot);
        RootPlace.Unfinished unfinished = place.MoveIn(old);
        var maker = new TreeMaker(store, CheckoutMethod.Hardlink, place.Path, null, store.Stop) { Commit = commitDigest };
        SetAside? etc = options.Boot || old.OwnsEtc ? new SetAside(store, EtcName, $"{place.Path}/etc") : null;
        var changer = new TreeChanger(store, maker, place.Path, old.SealedAt, options.Progress, store.Stop) { LeavesEtc = etc is not null };
        RootPlace.Named root;
        try
        {
            if (etc is not null)
            {
                etc.MoveOut(old.Top);
                BeginEtc(store, maker, old.Top, commit, options.Boot);
            }

            changer.Run(old.Top, old.Status, old.Commit.RootEntry(), commit.RootEntry());
            root = unfinished.Finish(RootFinish.For(options.Boot).WithInitrd(options.Initrd), commit.RootMetadata.ModifyTime).PutInPlace();
        }
        catch (Exception e) when (e is StoreException or LinuxException or OperationCanceledException)
        {
            Remedy? remedy = (e as StoreException)?.Remedy;
            if (TryRestore(store, old, place, etc))
            {
                Exception cause = FixedFileOf(e, place.Path, oldPath) ?? e;
                throw Ended(cause, $"{oldPath} is what it was", (cause as StoreException)?.Remedy);
            }

            place.RemoveUnfinished();
            etc?.Remove();
            oldTurn.DeleteRecord();
            var again = new Remedy.CheckOutAgain(old.Revision, oldPath);
            throw Ended(e, $"{oldPath} was half changed and is gone", remedy is null ? again : new Remedy.Both(remedy, again));
        }

        root.Seal();
        etc?.Remove();
        if (!isSamePlace)
        {
            oldTurn.DeleteRecord();
        }

        return new AdvanceResult(place.Path, changer.Changes, commit.Files, maker.Unrestored);
    }

    /// <summary>Begins /etc as the commit has it: of files of its own, or of hardlinks.</summary>
    private static void BeginEtc(ObjectStore store, TreeMaker maker, SafeFileHandle top, Commit commit, bool isOwn)
    {
        if (TreeWalk.TryFind(store.Packs, commit, EtcName, out TreeEntry entry))
        {
            maker.Begin(top, EtcName, entry, isOwn ? CheckoutMethod.Copy : CheckoutMethod.Hardlink);
        }
    }

    /// <summary>The reason for a failure, if a file of the root is immutable or append-only; otherwise null.</summary>
    private static StoreException? FixedFileOf(Exception failure, string path, string oldPath) =>
        failure is LinuxException { Errno: Errno.EPERM } failed && (failed.Subject == path || Roots.IsBelow(failed.Subject, path))
            ? FixedFile.Find(oldPath + failed.Subject[path.Length..])
            : null;

    private static Exception Ended(Exception cause, string outcome, Remedy? remedy) =>
        cause is OperationCanceledException ? new StoppedException(outcome, remedy) : new StoreException($"{cause.Message}; {outcome}", remedy);

    /// <summary>
    /// Undoes the changes after a failure or a request to stop, and gives the old root its name again. The directories' times tell what was
    /// changed. False if that fails too.
    /// </summary>
    private static bool TryRestore(ObjectStore store, OldRoot old, RootPlace place, SetAside? etc)
    {
        try
        {
            old.Top.Dispose();
            SafeFileHandle top = place.OpenUnfinished(out FileStatus status);
            etc?.MoveBack(top);
            var maker = new TreeMaker(store, CheckoutMethod.Hardlink, place.Path, null, CancellationToken.None) { Commit = old.Digest };
            var changer = new TreeChanger(store, maker, place.Path, old.SealedAt - LongestTick, null, CancellationToken.None) { LeavesEtc = etc is not null };
            changer.Run(top, status, old.Commit.RootEntry(), old.Commit.RootEntry());
            using (SafeFileHandle changed = place.OpenUnfinished(out _))
            {
                RootFinish.For(old.OwnsEtc).Run(new WholeTree(changed, place.Path), old.Commit.RootMetadata.ModifyTime);
            }

            return place.MoveBack(old);
        }
        catch (Exception e) when (e is StoreException or LinuxException)
        {
            return false;
        }
    }

    /// <summary>
    /// The oldest root beside <paramref name="destination"/> that is neither used nor pinned, and so may be turned into another one; null
    /// if there is none. Never the newest root there, and none that was made to be booted.
    /// </summary>
    public static string? FindSpare(ObjectStore store, string destination) => OldRoot.FindSpare(store, RealPath.OfName(destination));

    /// <summary>The first of these roots, by their absolute paths, that may be turned into another one now; null if there is none.</summary>
    public static string? FindFree(ObjectStore store, IEnumerable<string> roots) => OldRoot.FindFree(store, roots);
}
