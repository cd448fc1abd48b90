using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>How a commit becomes a directory.</summary>
public sealed record CheckoutOptions
{
    /// <summary>How files are made.</summary>
    public CheckoutMethod Method { get; init; }

    /// <summary>The part of the tree to check out; empty for all of it.</summary>
    public string Subpath { get; init; } = "";

    /// <summary>Whether to put it in the place of what is there.</summary>
    public bool Force { get; init; }

    /// <summary>
    /// Whether it is to be booted with its root read-only: files below /etc become copies, which share extents where the
    /// filesystem can, and the mount points that the tree lacks are made.
    /// </summary>
    public bool Boot { get; init; }

    /// <summary>Counts files and bytes as they are done.</summary>
    public Progress? Progress { get; init; }
}

/// <summary>What a checkout made.</summary>
/// <param name="Path">Its absolute path.</param>
/// <param name="Files">Names made that are not directories.</param>
/// <param name="Unrestored">What an ordinary user could not restore.</param>
public sealed record CheckoutResult(string Path, long Files, Unrestored Unrestored);

/// <summary>Checks a commit out as a new root. <see cref="RootPlace"/> says in which order, and what a crash leaves.</summary>
public static class RootBuilder
{
    /// <summary>
    /// Builds <paramref name="destination"/> from a commit. Throws <see cref="StoreException"/> where it exists already,
    /// or is on another filesystem than the store and files are to be hardlinks.
    /// </summary>
    /// <param name="store">The store.</param>
    /// <param name="commitDigest">The commit.</param>
    /// <param name="revision">The commit as the user named it, for the record.</param>
    /// <param name="destination">Where to; the directory above must exist.</param>
    /// <param name="options">How.</param>
    public static CheckoutResult Run(ObjectStore store, Digest commitDigest, string revision, string destination, CheckoutOptions options)
    {
        store.RequireWritable();
        Commit commit = store.Packs.ReadCommit(commitDigest);
        if (!TreeWalk.TryFind(store.Packs, commit, ByteText.FromArgument(options.Subpath), out TreeEntry entry))
        {
            throw new StoreException($"'{options.Subpath}' is not in {revision}", new Remedy.ListTree(revision));
        }

        var plan = new RootPlan(commitDigest, revision, options.Method, IsWhole: options.Subpath.Length == 0, options.Force, OwnsEtc: options.Boot);
        using RootPlace place = RootPlace.Reserve(store, destination, plan);
        var maker = new TreeMaker(store, options.Method, place.Path, options.Progress, store.Stop) { CopiesEtc = options.Boot };
        RootPlace.Named root;
        try
        {
            RootPlace.Unfinished unfinished = place.Begin(maker, entry);
            maker.Run();
            root = unfinished.Finish(options.Boot ? RootFinish.ForBoot : RootFinish.None, entry.Metadata.ModifyTime).PutInPlace();
        }
        catch (OperationCanceledException)
        {
            throw new StoppedException(place.RemoveUnfinished() ? $"{place.Path} was not made" : $"{place.Path} was not made, and gc removes what there is of it");
        }
        catch
        {
            place.RemoveUnfinished();
            throw;
        }

        root.Seal();
        return new CheckoutResult(place.Path, maker.Files, maker.Unrestored);
    }
}
