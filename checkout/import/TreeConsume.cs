using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// commit --consume: a directory goes into the store, and what the commit holds of it is removed. Steps:
/// <see cref="Begin"/> takes the tree out of everybody's reach; the import reads it, and its files may become objects as they are;
/// <see cref="RequireUnchanged"/> looks at all of it before the ref is set; <see cref="Finish"/> removes it. <see cref="Dispose"/> without a finish puts
/// the tree back in its place, as it was.
/// </summary>
/// <remarks>
/// A file that became an object has two names, and who writes to it by the one in the tree writes into the object. What keeps that from happening:
/// <list type="bullet">
/// <item>The tree is moved into a <see cref="PrivatePlace"/> first. From then on it is reached only through what was opened before: a descriptor of a
/// file, or a working directory or descriptor of a directory. If it cannot be moved, its files are copied, and it is removed where it is.</item>
/// <item>A file that somebody has open for writing, or mapped, is copied.</item>
/// <item>A file that was changed through a directory that somebody is still in is found before the ref is set. Nothing is committed then.</item>
/// <item>A file that is opened so later and never closed is found when it is removed. It stays, and the object gets an inode of its own.</item>
/// <item>No object is removed here, whatever is found: other processes may rely on it. The mark of the <see cref="Adoption"/> stays, and gc decides.</item>
/// </list>
/// Not prevented: somebody who was in the tree before changes a file between the last look and its removal. That is found and said; the commit's object is
/// damaged, and a later commit that has the content repairs it.
/// </remarks>
public sealed class TreeConsume : IDisposable
{
    private readonly ObjectStore store;
    private readonly string path;
    private readonly Action<string> onNote;
    private readonly FileTime started;
    private readonly SafeFileHandle parent;
    private readonly byte[] name;
    private readonly PrivatePlace? place;
    private readonly Adoption? adoption;
    private bool isFinished;

    private TreeConsume(ObjectStore store, string path, string real, SafeFileHandle parent, byte[] name, Action<string> onNote)
    {
        this.store = store;
        this.path = path;
        this.onNote = onNote;
        this.parent = parent;
        this.name = name;
        using (SafeFileHandle tree = OpenTree())
        {
            RootUse.RequireNoRoot(store, path);
            adoption = store.TryAdopt(tree);
        }

        place = adoption is null ? null : PrivatePlace.TryTake(parent, name, real);
        adoption = place is null ? null : adoption;

        // What has changed since, by the clock that dates files, may not be what is committed.
        started = Sys.EarliestFileTime();
    }

    /// <summary>How the files of the tree become objects without being copied; null if they are copied.</summary>
    internal Adoption? Adoption => adoption;

    /// <summary>
    /// Begins to consume the directory at <paramref name="path"/>. Throws <see cref="StoreException"/> if it must stay (<see cref="RootUse"/>) or is a
    /// symbolic link. If an earlier process was killed while it consumed the same directory, what that left is settled first: a tree that was not
    /// committed is put back; of one that was committed the removal is finished, and a <see cref="StoreException"/> says so.
    /// </summary>
    /// <param name="store">The store.</param>
    /// <param name="path">The directory.</param>
    /// <param name="onNote">Told, in a sentence, where the tree is when that is not where the user left it, or that it was put back.</param>
    public static TreeConsume Begin(ObjectStore store, string path, Action<string> onNote)
    {
        // With a '/' behind it, a link would be followed.
        path = path.Length > 1 ? path.TrimEnd('/') : path;
        string real = RealPath.OfName(path);
        if (Path.GetDirectoryName(real) is not { } above)
        {
            RootUse.RequireNoRoot(store, path);
            throw new StoreException($"{path}: it has no directory above it, and cannot be removed");
        }

        byte[] name = ByteText.FromArgument(Path.GetFileName(real));
        Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(above), OpenFlags.ReadOnly | OpenFlags.Directory, out SafeFileHandle parent)
            .ThrowIfFailed("openat", path);
        try
        {
            SettleLeft(store, path, real, parent, name, onNote);
            return new TreeConsume(store, path, real, parent, name, onNote);
        }
        catch
        {
            parent.Dispose();
            throw;
        }
    }

    /// <summary>Opens the tree where it is now.</summary>
    internal SafeFileHandle OpenTree()
    {
        SafeFileHandle directory = place?.Handle ?? parent;
        byte[] entry = place is null ? name : PrivatePlace.TreeName;
        return Sys.Stat(directory, entry, out FileStatus status) == Errno.None && status.Type == FileType.Symlink
            ? throw new StoreException($"{path}: it is a symbolic link, and --consume would empty the directory it leads to; name that itself")
            : TreeImport.OpenTree(directory, entry, path, OpenFlags.NoFollow);
    }

    /// <summary>
    /// Throws <see cref="StoreException"/> if a file that became an object was changed since it was read. Called when all is durable and before a ref
    /// needs it: what is written to an object through its other name must not be what a ref names.
    /// </summary>
    internal void RequireUnchanged(ImportResult tree)
    {
        if (adoption?.HasAdopted == true)
        {
            using SafeFileHandle top = OpenTree();
            Walk(tree.Tree).RequireUnchanged(top);
        }
    }

    /// <summary>Removes what the commit holds; what stays goes back to its place. Called when a ref needs the commit.</summary>
    public ConsumeResult Finish(ImportResult tree, Digest commit)
    {
        place?.NoteCommit(new ConsumedCommit(commit, started));
        ConsumeResult result = Remove(Walk(tree.Tree));
        isFinished = true;
        return result;
    }

    /// <summary>Puts the tree back if it was not removed, and lets go of it.</summary>
    public void Dispose()
    {
        if (place is not null)
        {
            if (!isFinished && PutBack() != Errno.None)
            {
                onNote($"{path}: it could not be put back in its place, where something else is now; all of it is in {place.Path}");
            }

            place.Dispose();
        }

        adoption?.Dispose();
        parent.Dispose();
    }

    /// <summary>Settles what a process left that was killed while it consumed the same directory.</summary>
    private static void SettleLeft(ObjectStore store, string path, string real, SafeFileHandle parent, byte[] name, Action<string> onNote)
    {
        using PrivatePlace? left = PrivatePlace.FindLeft(parent, name, real);
        if (left is null)
        {
            return;
        }

        LinuxException? failure = null;
        ConsumedCommit? made = left.HasTree ? left.FindCommit() : null;
        if (made is { } consumed && store.Packs.TryReadCommit(consumed.Commit, out Commit? commit))
        {
            // To put the tree back as it is would let it be committed again, without what is gone.
            using SafeFileHandle tree = TreeImport.OpenTree(left.Handle, PrivatePlace.TreeName, path);
            using Adoption? adoption = store.TryAdopt(tree);
            failure = new ConsumeWalk(store, commit.Tree, consumed.Started, adoption, path).Remove(left.Handle, PrivatePlace.TreeName).FirstFailure;
        }

        bool hasTree = left.HasTree;
        if (left.TryPutBack() != Errno.None)
        {
            throw new StoreException(
                $"{left.Path}: it holds what a killed commit that consumed {path} left, and {path} is something else now; move one of them away");
        }

        if (made is { } done)
        {
            string end = failure is null ? "the removal is finished now" : $"the removal cannot be finished ({failure.Message})";
            string rest = hasTree ? $", what was left is back in {path}" : "";
            throw new StoreException(
                $"{path}: it was made the commit {done.Commit}, and that command was killed while it removed the tree; {end}{rest}, and nothing new was committed");
        }

        if (hasTree)
        {
            onNote($"{path}: a command that consumed it was killed before it committed; the tree is back in its place");
        }
    }

    private ConsumeWalk Walk(Digest tree) => new(store, tree, started, adoption, path);

    private ConsumeResult Remove(ConsumeWalk walk)
    {
        ConsumeResult result = place is null ? walk.Remove(parent, name) : walk.Remove(place.Handle, PrivatePlace.TreeName);
        if (adoption is { HasAdopted: true } && !walk.IsShared)
        {
            if (walk.HasSeparated || !NameOrder.IsKept(parent))
            {
                // No name may come back with a power cut after what tells of it is gone.
                store.Sync();
            }

            adoption.End();
        }

        return PutBack() == Errno.None ? result : result with { Stranded = place!.Path };
    }

    private Errno PutBack() => place?.TryPutBack() ?? Errno.None;
}

/// <summary>What --consume did not remove, and why.</summary>
public sealed record ConsumeResult
{
    /// <summary>Names that are not in the commit: left out, or made since.</summary>
    public long LeftOut { get; init; }

    /// <summary>Files that changed since they were read. What they hold now is not in the commit.</summary>
    public long Changed { get; init; }

    /// <summary>The path of the first of them.</summary>
    public string? FirstChanged { get; init; }

    /// <summary>Files that somebody has open for writing. What is written from now on is not in the commit.</summary>
    public long InUse { get; init; }

    /// <summary>The path of the first of them.</summary>
    public string? FirstInUse { get; init; }

    /// <summary>Names that the commit holds and that could not be removed.</summary>
    public long Failed { get; init; }

    /// <summary>Why the first of them could not.</summary>
    public LinuxException? FirstFailure { get; init; }

    /// <summary>Of the changed files, those that were objects when they were written to: the commit's own objects are damaged.</summary>
    public long Damaged { get; init; }

    /// <summary>The path of the first of them.</summary>
    public string? FirstDamaged { get; init; }

    /// <summary>Where all that stayed is, if its place was taken meanwhile; else null.</summary>
    public string? Stranded { get; init; }

    /// <summary>Whether nothing went wrong: all that stayed is not in the commit, or not as it is now.</summary>
    public bool IsDone => Failed == 0 && Damaged == 0 && Stranded is null;
}
