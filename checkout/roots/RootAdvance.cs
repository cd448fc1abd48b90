using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>What an advance did.</summary>
/// <param name="Path">The new root's absolute path.</param>
/// <param name="Changes">Names that were made, replaced or removed.</param>
/// <param name="Files">Names in the whole root that are not directories.</param>
/// <param name="Unrestored">What an ordinary user could not restore of those that were made.</param>
public sealed record AdvanceResult(string Path, long Changes, long Files, Unrestored Unrestored);

/// <summary>
/// Turns a root that nobody uses into another commit, by the difference of the two trees. The old root gets the new one's
/// partial name before anything in it changes, so that a half-changed one never has a root's name: a crash leaves the
/// old root, or litter for gc, or the new root (<see cref="RootPlace"/>), and a full checkout is always the way out.
/// </summary>
public static class RootAdvance
{
    // Nanoseconds between two steps of the kernel's clock at most: what was changed right after a root was sealed may have the same time.
    private const long LongestTick = 20_000_000;

    /// <summary>
    /// Makes <paramref name="destination"/> out of the root at <paramref name="from"/>, which is gone then; the two may be one.
    /// Throws <see cref="StoreException"/> where that root is in use or pinned, was not made of hardlinks by this store, or is not
    /// the directory that was recorded.
    /// </summary>
    public static AdvanceResult Run(ObjectStore store, string from, Digest commitDigest, string revision, string destination, CheckoutOptions options)
    {
        store.RequireWritable();
        Commit commit = store.Packs.ReadCommit(commitDigest);
        string oldPath = RealPath.OfName(from);
        bool isSamePlace = RealPath.OfName(destination) == oldPath;
        var plan = new RootPlan(commitDigest, revision, CheckoutMethod.Hardlink, IsWhole: true, options.Force || isSamePlace);

        // Who has the turn has the root: what is looked at from here on stays as it is.
        using RootTurn? otherTurn = isSamePlace ? null : store.Roots.TakeTurnAt(oldPath);
        using RootPlace place = RootPlace.Reserve(store, destination, plan);
        RootTurn oldTurn = otherTurn ?? place.Turn;
        using OldRoot old = OldRoot.Require(store, oldPath);
        RootPlace.Unfinished unfinished = place.MoveIn(old);
        var maker = new TreeMaker(store, CheckoutMethod.Hardlink, place.Path, null, store.Stop);
        var changer = new TreeChanger(store, maker, place.Path, old.SealedAt, options.Progress, store.Stop);
        RootPlace.Named root;
        try
        {
            changer.Run(old.Top, old.Status, old.Commit.RootEntry(), commit.RootEntry());
            root = unfinished.Finish(RootFinish.None, commit.RootMetadata.ModifyTime).PutInPlace();
        }
        catch (Exception e) when (e is StoreException or LinuxException or OperationCanceledException)
        {
            Remedy? remedy = (e as StoreException)?.Remedy;
            if (TryRestore(store, old, place))
            {
                throw Ended(e, $"{oldPath} is what it was", remedy);
            }

            place.RemoveUnfinished();
            oldTurn.DeleteRecord();
            var again = new Remedy.CheckOutAgain(old.Revision, oldPath);
            throw Ended(e, $"{oldPath} was half changed and is gone", remedy is null ? again : new Remedy.Both(remedy, again));
        }

        root.Seal();
        if (!isSamePlace)
        {
            oldTurn.DeleteRecord();
        }

        return new AdvanceResult(place.Path, changer.Changes, commit.Files, maker.Unrestored);
    }

    private static Exception Ended(Exception cause, string outcome, Remedy? remedy) =>
        cause is OperationCanceledException ? new StoppedException(outcome, remedy) : new StoreException($"{cause.Message}; {outcome}", remedy);

    /// <summary>
    /// After a failure or a request to stop: changes back what was changed, which the times of the directories tell, and gives the old root its name. False
    /// where that fails too.
    /// </summary>
    private static bool TryRestore(ObjectStore store, OldRoot old, RootPlace place)
    {
        try
        {
            old.Top.Dispose();
            SafeFileHandle top = place.OpenUnfinished(out FileStatus status);
            var maker = new TreeMaker(store, CheckoutMethod.Hardlink, place.Path, null, CancellationToken.None);
            var changer = new TreeChanger(store, maker, place.Path, old.SealedAt - LongestTick, null, CancellationToken.None);
            changer.Run(top, status, old.Commit.RootEntry(), old.Commit.RootEntry());
            return place.MoveBack(old);
        }
        catch (Exception e) when (e is StoreException or LinuxException)
        {
            return false;
        }
    }

    /// <summary>A root beside <paramref name="destination"/> that may be made into another one: the oldest that nobody uses or pinned; null for none.</summary>
    public static string? FindSpare(ObjectStore store, string destination) => OldRoot.FindSpare(store, RealPath.OfName(destination));
}
