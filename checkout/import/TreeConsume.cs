using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// Consumes a directory (commit --consume): its files go into the store, and the files and directories that the commit has are removed.
/// </summary>
/// <remarks>
/// <para>
/// The steps: <see cref="Begin"/> moves the tree to where other processes cannot reach it by path. The import reads the tree, and its files
/// may become objects as they are. <see cref="RequireUnchanged"/> checks all files before the ref is set. <see cref="Finish"/> removes the
/// tree. If <see cref="Dispose"/> is called without <see cref="Finish"/>, the tree goes back to its place, as it was.
/// </para>
/// <para>
/// A file that became an object has two names. A process that writes to the file by its name in the tree writes into the object. These
/// rules prevent it, or find it:
/// </para>
/// <list type="bullet">
/// <item>The tree is first moved into a <see cref="PrivatePlace"/>. From then on a process can reach it only if it opened a file or a
/// directory of the tree before, or has a working directory there. If the tree cannot be moved, its files are copied, and the tree is
/// removed where it is.</item>
/// <item>A file that a process has open for writing, or mapped for writing, is copied.</item>
/// <item>A process may still be in a directory of the tree, and change a file that became an object. The change is found before the ref is
/// set. Then nothing is committed.</item>
/// <item>Such a process may open a file later and never close it. This is found when the file is removed. The file stays, and the object
/// gets a new inode.</item>
/// <item>No object is removed here, because other processes may rely on it. The mark of the <see cref="Adoption"/> stays, and gc
/// decides.</item>
/// </list>
/// <para>
/// One case is not prevented: a process that was in the tree before changes a file between the last check and the removal of the file. The
/// change is found and reported. The commit's object is damaged. A later commit that has the content repairs it.
/// </para>
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
    private Digest noted;
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
            TreeImport.RequireOutside(store, tree, path);
            RootUse.RequireNoRoot(store, path);
            Adoption = store.TryAdopt(tree);
        }

        // A file that has a later time than this may have changed after it was read. The clock is the one that sets files' times.
        started = Sys.EarliestFileTime();

        // The move comes last: whatever throws before it leaves the tree in its place.
        place = Adoption is null ? null : PrivatePlace.TryTake(parent, name, real);
        Adoption = place is null ? null : Adoption;
    }

    /// <summary>The adoption by which files of the tree become objects without being copied; null if they are copied.</summary>
    internal Adoption? Adoption { get; }

    /// <summary>
    /// Begins to consume the directory at <paramref name="path"/>. Throws <see cref="StoreException"/> if the directory must stay
    /// (<see cref="RootUse"/>) or is a symbolic link. An earlier process may have been killed while it consumed the same directory. Then
    /// its work is settled first: a tree that was not committed is put back. If the tree was committed, its removal is finished, and a
    /// <see cref="StoreException"/> says so. If the store does not have that commit, a <see cref="StoreException"/> says that, and nothing
    /// is changed.
    /// </summary>
    /// <param name="store">The store.</param>
    /// <param name="path">The directory.</param>
    /// <param name="onNote">Called with a sentence if the tree was put back, or if it cannot be put back and is in another place.</param>
    public static TreeConsume Begin(ObjectStore store, string path, Action<string> onNote)
    {
        // If a '/' followed the name, a symbolic link would be followed.
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

    /// <summary>Opens the tree at its current place.</summary>
    internal SafeFileHandle OpenTree()
    {
        SafeFileHandle directory = place?.Handle ?? parent;
        byte[] entry = place is null ? name : PrivatePlace.TreeName;
        return Sys.Stat(directory, entry, out FileStatus status) == Errno.None && status.Type == FileType.Symlink
            ? throw new StoreException($"{path}: it is a symbolic link, and --consume would empty the directory it leads to; name that itself")
            : TreeImport.OpenTree(directory, entry, path, OpenFlags.NoFollow);
    }

    /// <summary>
    /// Throws <see cref="StoreException"/> if a file that became an object changed since it was read. Call this after everything is durable
    /// and before the ref is set, so that no ref names a commit with an object that was written to through its other name.
    /// </summary>
    internal void RequireUnchanged(ImportResult tree)
    {
        if (Adoption?.HasAdopted == true)
        {
            using SafeFileHandle top = OpenTree();
            Walk(tree.Tree).RequireUnchanged(top);
        }
    }

    /// <summary>
    /// Writes down which commit the tree becomes. Call this before the ref is set: the next run finds the note, and asks the refs for the
    /// commit. If the note came after the ref, a process that is killed in between would leave a committed tree that looks as if it were not.
    /// </summary>
    internal void NoteCommit(Digest commit)
    {
        place?.NoteCommit(new ConsumedCommit(commit, started, store.Identity().Inode));
        noted = place is null ? default : commit;
    }

    /// <summary>
    /// Removes the files and directories that the commit has. The rest goes back to its place. Call this after the ref is set.
    /// </summary>
    public ConsumeResult Finish(ImportResult tree)
    {
        ConsumeResult result = Remove(Walk(tree.Tree));
        isFinished = true;
        return result;
    }

    /// <summary>Puts the tree back if it was not removed, and closes everything.</summary>
    public void Dispose()
    {
        if (place is not null)
        {
            if (!isFinished && !noted.IsNone && MayBeNamed())
            {
                // Files of the tree may be objects of the commit. Nobody may reach them, and the ref may not be durable.
                onNote($"{path}: a ref has its commit {noted} all the same; all of it is in {place.Path}, and consuming {path} again finishes that");
            }
            else if (!isFinished && PutBack() is not Errno.None and var errno)
            {
                onNote($"{path}: it could not be put back in its place ({WhyNot(errno)}); all of it is in {place.Path}");
            }

            place.Dispose();
        }

        Adoption?.Dispose();
        parent.Dispose();
    }

    /// <summary>Settles the work of a process that was killed while it consumed the same directory.</summary>
    private static void SettleLeft(ObjectStore store, string path, string real, SafeFileHandle parent, byte[] name, Action<string> onNote)
    {
        using PrivatePlace? left = PrivatePlace.FindLeft(parent, name, real);
        if (left is null)
        {
            return;
        }

        ConsumeResult? result = null;
        ConsumedCommit? made = left.HasTree ? left.FindCommit() : null;
        if (made is { } consumed)
        {
            bool isHere = store.Packs.TryReadCommit(consumed.Commit, out Commit? commit);
            if (!isHere && consumed.Store != store.Identity().Inode)
            {
                // Files of the tree may still be objects of the store that has the commit: nobody may reach them to write to them.
                throw new StoreException(
                    $"{left.Path}: it holds what is left of {path}, which was made the commit {consumed.Commit}, and this store does not have that; "
                    + "consume it with the store that has the commit, or move what you need out of there");
            }

            // The note is older than the ref. If no ref has the commit, the process was killed before it set the ref. Otherwise the removal is
            // finished first: if the tree were only put back, it could be committed again, without the files that were removed.
            made = isHere && RefHistory.Has(store, consumed.Commit) ? consumed : null;
            result = made is null ? null : FinishRemoval(store, left, commit!, consumed, path);
        }

        bool hasTree = left.HasTree;
        if (left.TryPutBack() is not Errno.None and var errno)
        {
            throw new StoreException(
                $"{left.Path}: it holds what a killed commit that consumed {path} left, and that cannot be put back ({WhyNot(errno)}); move it there yourself");
        }

        if (made is { } done)
        {
            string end = result is null or { IsDone: true } ? "the removal is finished now" : "the removal cannot be finished";
            string rest = hasTree ? $", what was left is back in {path}" : "";
            throw new ConsumedBeforeException(
                $"{path}: it was made the commit {done.Commit}, and that command was ended while it removed the tree; {end}{rest}, "
                + "and nothing new was committed",
                result ?? new ConsumeResult());
        }

        if (hasTree)
        {
            onNote($"{path}: a command that consumed it was killed before it committed; the tree is back in its place");
        }
    }

    private static ConsumeResult FinishRemoval(ObjectStore store, PrivatePlace left, Commit commit, in ConsumedCommit consumed, string path)
    {
        // The command may have been killed before the ref was durable.
        store.Sync();
        using SafeFileHandle tree = TreeImport.OpenTree(left.Handle, PrivatePlace.TreeName, path);
        using Adoption? adoption = store.TryAdopt(tree);
        return new ConsumeWalk(store, commit.Tree, consumed.Started, adoption, path).Remove(left.Handle, PrivatePlace.TreeName);
    }

    /// <summary>Whether a ref has the commit that was noted, or that cannot be told.</summary>
    private bool MayBeNamed()
    {
        try
        {
            return RefHistory.Has(store, noted);
        }
        catch (Exception e) when (e is StoreException or LinuxException)
        {
            return true;
        }
    }

    private static string WhyNot(Errno errno) => errno == Errno.EEXIST ? "something else is there now" : LinuxException.Describe(errno);

    private ConsumeWalk Walk(Digest tree) => new(store, tree, started, Adoption, path);

    private ConsumeResult Remove(ConsumeWalk walk)
    {
        ConsumeResult result = place is null ? walk.Remove(parent, name) : walk.Remove(place.Handle, PrivatePlace.TreeName);
        if (Adoption is { HasAdopted: true } && !walk.IsShared)
        {
            if (walk.HasSeparated || !NameOrder.IsKept(parent))
            {
                // After a power cut, no removed name of an adopted file may come back without the mark.
                store.Sync();
            }

            Adoption.End();
        }

        return PutBack() == Errno.None ? result : result with { Stranded = place!.Path };
    }

    private Errno PutBack() => place?.TryPutBack() ?? Errno.None;
}
