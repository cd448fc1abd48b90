using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>The options of a checkout.</summary>
public sealed record CheckoutOptions
{
    /// <summary>How files are made. An image is of a whole tree, to be booted.</summary>
    public CheckoutMethod Method { get; init; }

    /// <summary>The part of the tree to check out; empty for the whole tree.</summary>
    public string Subpath { get; init; } = "";

    /// <summary>Whether to replace an existing directory.</summary>
    public bool Force { get; init; }

    /// <summary>
    /// Whether the root will be booted with / read-only. Then files below /etc are copies, which share extents if the filesystem can, and
    /// missing mount points are made.
    /// </summary>
    public bool Boot { get; init; }

    /// <summary>
    /// The path of a file on the store's filesystem that becomes the initrd of a root whose commit has none (<see cref="BootFolder"/>); null for none. The
    /// file has the initrd's name.
    /// </summary>
    public string? Initrd { get; init; }

    /// <summary>Counts files and bytes that are done.</summary>
    public Progress? Progress { get; init; }
}

/// <summary>The result of a checkout.</summary>
/// <param name="Path">The absolute path of the root.</param>
/// <param name="Files">The number of names that were made, without directories.</param>
/// <param name="Unrestored">What an ordinary user could not restore.</param>
public sealed record CheckoutResult(string Path, long Files, Unrestored Unrestored);

/// <summary>Checks a commit out as a new root. <see cref="RootPlace"/> has the order of the steps, and what a crash leaves.</summary>
public static class RootBuilder
{
    /// <summary>
    /// Makes <paramref name="destination"/> from a commit. Throws <see cref="StoreException"/> if it exists already, or if files must be
    /// hardlinks and it is on another filesystem than the store.
    /// </summary>
    /// <param name="store">The store.</param>
    /// <param name="commitDigest">The commit.</param>
    /// <param name="revision">The commit as the user named it, for the record.</param>
    /// <param name="destination">The path of the root. The directory above must exist.</param>
    /// <param name="options">The options.</param>
    public static CheckoutResult Run(ObjectStore store, Digest commitDigest, string revision, string destination, CheckoutOptions options)
    {
        store.RequireWritable();
        Commit commit = store.Packs.ReadCommit(commitDigest);
        if (!TreeWalk.TryFind(store.Packs, commit, ByteText.FromArgument(options.Subpath), out TreeEntry entry))
        {
            throw new StoreException($"'{options.Subpath}' is not in {revision}", new Remedy.ListTree(revision));
        }

        bool isWhole = options.Subpath.Length == 0, isImage = options.Method == CheckoutMethod.Image;
        var plan = new RootPlan(commitDigest, revision, options.Method, isWhole, options.Force, OwnsEtc: options.Boot);
        using RootPlace place = RootPlace.Reserve(store, destination, plan);
        var maker = new TreeMaker(store, isImage ? CheckoutMethod.Hardlink : options.Method, place.Path, options.Progress, store.Stop)
        {
            Commit = commitDigest,
            CopiesEtc = options.Boot,
            Only = isImage ? ImageRootDirectory.Tops : null,
        };
        RootFinish finish = (isImage ? RootFinish.ForImage(store, commitDigest) : RootFinish.For(options.Boot)).WithInitrd(options.Initrd);
        RootPlace.Named root;
        try
        {
            RootPlace.Unfinished unfinished = place.Begin(maker, entry);
            maker.Run();
            root = unfinished.Finish(finish, entry.Metadata.ModifyTime).PutInPlace();
        }
        catch (OperationCanceledException)
        {
            string outcome = place.RemoveUnfinished() ? "was not made" : "was not made, and gc removes what there is of it";
            throw new StoppedException($"{place.Path} {outcome}");
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
