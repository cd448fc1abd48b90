using HackTree.Linux;
using HackTree.Store;

namespace HackTree.Checkout;

/// <content>The states of a root from the first name it has to its record.</content>
internal sealed partial class RootPlace
{
    /// <summary>A tree under the partial name, which is being filled or changed.</summary>
    internal sealed class Unfinished(RootPlace place)
    {
        /// <summary>The tree is whole now but for the finishing steps, which are done here.</summary>
        /// <param name="finish">The finishing steps.</param>
        /// <param name="modifyTime">The modification time of the tree's top, in seconds since 1970.</param>
        internal Whole Finish(RootFinish finish, long modifyTime)
        {
            place.Pass(Step.Unfinished, Step.Whole);
            finish.Run(place.site.Parent, place.site.PartialName, modifyTime, place.Path);
            return new Whole(place, hasContent: place.plan.Method != CheckoutMethod.Hardlink || place.plan.OwnsEtc || finish.HasSteps);
        }
    }

    /// <summary>A whole tree under the partial name.</summary>
    /// <param name="place">Its place.</param>
    /// <param name="hasContent">Whether there are files in it whose content no commit has synced, as there is in all that are not hardlinks.</param>
    internal sealed class Whole(RootPlace place, bool hasContent)
    {
        /// <summary>Gives the tree the root's own name. What --force replaces has the partial name then.</summary>
        internal Named PutInPlace()
        {
            place.Require(Step.Whole);
            place.store.Stop.ThrowIfCancellationRequested();
            RootSite site = place.site;
            if (hasContent || !site.KeepsOrder)
            {
                Sys.SyncFilesystem(site.Parent).ThrowIfFailed("syncfs", site.Path);
            }

            Errno errno = Sys.RenameNew(site.Parent, site.PartialName, site.Parent, site.Name);
            if (errno == Errno.EEXIST && place.plan.Force)
            {
                // It may have been put to use, or have come, while the new one was built.
                place.RequireFree();
                errno = Sys.Exchange(site.Parent, site.PartialName, site.Parent, site.Name);
            }

            if (errno == Errno.EEXIST)
            {
                throw new StoreException($"{site.Path}: somebody made it while it was being built; remove one of the two");
            }

            errno.ThrowIfFailed("renameat2", site.Path);
            place.Pass(Step.Whole, Step.Named);
            return new Named(place);
        }
    }

    /// <summary>A whole tree under the root's own name, which the store does not know yet.</summary>
    internal sealed class Named(RootPlace place)
    {
        /// <summary>Writes the root's record, and removes what was replaced.</summary>
        internal void Seal()
        {
            place.Pass(Step.Named, Step.Sealed);
            RootSite site = place.site;
            if (!place.becomesRoot || !site.KeepsOrder)
            {
                // Before the build record goes: btrfs could lose the new name and keep what is written to the store after it.
                site.SyncNames();
            }

            if (place.becomesRoot)
            {
                Sys.Stat(site.Parent, site.Name, out FileStatus status).ThrowIfFailed("statx", site.Path);
                place.RecordRoot(status);
            }

            // The new root is there and recorded: an old one that cannot be removed (something is mounted in it), or not soon enough, is left to gc.
            if (!site.TryRemovePartial())
            {
                return;
            }

            if (place.plan.Force && !site.KeepsOrder)
            {
                // Else btrfs could lose the record and keep what was replaced, of which nobody would know any more.
                site.SyncNames();
            }

            place.turn?.DeleteBuildRecord();
        }
    }
}
