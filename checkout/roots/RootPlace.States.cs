using HackTree.Linux;
using HackTree.Store;

namespace HackTree.Checkout;

/// <content>The states of a root, from its first name to its record.</content>
internal sealed partial class RootPlace
{
    /// <summary>A tree under the partial name that is being filled or changed.</summary>
    internal sealed class Unfinished(RootPlace place)
    {
        /// <summary>Completes the tree: does the finishing steps.</summary>
        /// <param name="finish">The finishing steps.</param>
        /// <param name="modifyTime">The modification time of the tree's top, in seconds since 1970.</param>
        internal Whole Finish(RootFinish finish, long modifyTime)
        {
            place.Pass(State.Unfinished, State.Whole);
            finish.Run(place.site.Parent, place.site.PartialName, modifyTime, place.Path);
            return new Whole(place, hasContent: place.plan.Method != CheckoutMethod.Hardlink || place.plan.OwnsEtc || finish.HasSteps);
        }
    }

    /// <summary>A whole tree under the partial name.</summary>
    /// <param name="place">Its place.</param>
    /// <param name="hasContent">Whether it has files whose content no commit has synced: all files that are not hardlinks.</param>
    internal sealed class Whole(RootPlace place, bool hasContent)
    {
        /// <summary>Gives the tree the root's own name. With --force, the replaced directory gets the partial name.</summary>
        internal Named PutInPlace()
        {
            place.Require(State.Whole);
            place.store.Stop.ThrowIfCancellationRequested();
            RootSite site = place.site;
            if (hasContent || !site.KeepsOrder)
            {
                Sys.SyncFilesystem(site.Parent).ThrowIfFailed("syncfs", site.Path);
                place.store.Stop.ThrowIfCancellationRequested();
            }

            Errno errno = Sys.RenameNew(site.Parent, site.PartialName, site.Parent, site.Name);
            if (errno == Errno.EEXIST && place.plan.Force)
            {
                // The directory may have been used, or made, while the new root was built.
                place.RequireFree();
                DirectoryIdentity replaced = place.RecordReplaced();
                errno = Sys.Exchange(site.Parent, site.PartialName, site.Parent, site.Name);
                place.partial = errno == Errno.None ? replaced : place.partial;
            }

            if (errno == Errno.EEXIST)
            {
                throw new StoreException($"{site.Path}: somebody made it while it was being built; remove one of the two");
            }

            errno.ThrowIfFailed("renameat2", site.Path);
            place.Pass(State.Whole, State.Named);
            return new Named(place);
        }
    }

    /// <summary>A whole tree under the root's own name. The store has no record of it yet.</summary>
    internal sealed class Named(RootPlace place)
    {
        /// <summary>Writes the root's record, and removes the replaced directory.</summary>
        internal void Seal()
        {
            place.Pass(State.Named, State.Sealed);
            RootSite site = place.site;
            if (!place.becomesRoot || !site.KeepsOrder)
            {
                // This comes before the build record is deleted: btrfs could lose the new name and keep later changes of the store.
                site.SyncNames();
            }

            if (place.becomesRoot)
            {
                Sys.Stat(site.Parent, site.Name, out FileStatus status).ThrowIfFailed("statx", site.Path);
                place.RecordRoot(status);
            }

            if (!TryRemoveReplaced())
            {
                return;
            }

            if (place.plan.Force && !site.KeepsOrder)
            {
                // Otherwise btrfs could lose the record and keep the replaced directory, which nothing would know of.
                site.SyncNames();
            }

            place.turn?.DeleteBuildRecord();
        }

        /// <summary>
        /// Removes what the root replaced. False if that takes too long after a request to stop; then gc removes it. The new root is there and recorded,
        /// so that is said if the old one cannot be removed.
        /// </summary>
        private bool TryRemoveReplaced()
        {
            try
            {
                return place.site.TryRemovePartial(place.partial);
            }
            catch (Exception e) when (e is StoreException or LinuxException)
            {
                Remedy collect = new Remedy.CollectGarbage();
                throw new StoreException(
                    $"{place.Path} is made, but what it replaced cannot be removed: {e.Message}",
                    e is StoreException { Remedy: { } first } ? new Remedy.Both(first, collect) : collect);
            }
        }
    }
}
