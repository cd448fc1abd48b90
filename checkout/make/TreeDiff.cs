using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>How an entry differs between two trees.</summary>
public enum ChangeKind
{
    /// <summary>Only in the second tree.</summary>
    Added,
    /// <summary>Only in the first tree.</summary>
    Removed,
    /// <summary>In both trees with the same kind, but with another content, metadata, target or device number.</summary>
    Modified,
    /// <summary>In both trees, with different kinds.</summary>
    TypeChanged,
}

/// <summary>Called for each difference: a directory before its entries. All arguments are valid during the call.</summary>
/// <param name="kind">The kind of difference.</param>
/// <param name="path">The path of the entry; empty for the trees themselves.</param>
/// <param name="before">The first tree's entry; none for <see cref="ChangeKind.Added"/>.</param>
/// <param name="after">The second tree's entry; none for <see cref="ChangeKind.Removed"/>.</param>
public delegate void ChangeVisitor(ChangeKind kind, PathBuffer path, in TreeEntry before, in TreeEntry after);

/// <summary>What a comparison reports besides the entries that differ themselves.</summary>
public enum DiffDetail
{
    /// <summary>Each entry below a directory that is only in the first tree.</summary>
    AllRemoved,
    /// <summary>Each directory in both trees with a difference below it. Nothing below what was removed.</summary>
    WayToChanges,
}

/// <summary>
/// Compares two trees. If two directories have the same digest, nothing below them differs and nothing below them is read: the cost depends
/// on the difference, not on the size of the trees.
/// </summary>
public sealed class TreeDiff
{
    private readonly Packs packs;
    private readonly ChangeVisitor visitor;
    private readonly DiffDetail detail;
    private readonly PathBuffer path = new();
    private readonly Stack<Level> levels = new();

    private TreeDiff(Packs packs, ChangeVisitor visitor, DiffDetail detail)
    {
        this.packs = packs;
        this.visitor = visitor;
        this.detail = detail;
    }

    /// <summary>
    /// Reports every difference between two directories, names in order. The directories are, for example, the root entries of two commits
    /// (<see cref="TreeWalk.TryFind"/>).
    /// </summary>
    public static void Run(Packs packs, in TreeEntry before, in TreeEntry after, ChangeVisitor visitor, DiffDetail detail = DiffDetail.AllRemoved)
    {
        var diff = new TreeDiff(packs, visitor, detail);
        diff.Compare(before, after, 0);
        while (diff.levels.TryPop(out Level level))
        {
            diff.Step(level);
        }
    }

    /// <summary>Compares the next names of two directories. At the end of both it goes back to the directory above.</summary>
    private void Step(Level level)
    {
        TreePair trees = level.Trees;
        if (!trees.Next(out TreeEntry before, out TreeEntry after))
        {
            path.Cut(level.PathLength);
            return;
        }

        levels.Push(level with { Trees = trees });
        int pathLength = path.Push(before.Exists ? before.Name : after.Name);
        Compare(before, after, pathLength);
    }

    /// <summary>Reports two entries of one name, and enters directories whose digests differ.</summary>
    private void Compare(in TreeEntry before, in TreeEntry after, int pathLength)
    {
        ChangeKind kind = !before.Exists ? ChangeKind.Added
            : !after.Exists ? ChangeKind.Removed
            : before.Kind != after.Kind ? ChangeKind.TypeChanged
            : ChangeKind.Modified;
        bool isOnWay = before.Digest != after.Digest && detail == DiffDetail.WayToChanges;
        if (kind != ChangeKind.Modified || !before.IsDirectory || isOnWay || before.Metadata != after.Metadata || !before.Xattrs.SequenceEqual(after.Xattrs))
        {
            visitor(kind, path, before, after);
        }

        bool isEntered = after.IsDirectory || (before.IsDirectory && detail == DiffDetail.AllRemoved);
        if (before.Digest != after.Digest && isEntered)
        {
            levels.Push(new Level(new TreePair(TreeOf(before), TreeOf(after)), pathLength));
        }
        else
        {
            path.Cut(pathLength);
        }
    }

    private Tree TreeOf(in TreeEntry entry) => entry.IsDirectory ? packs.ReadTree(entry.Digest) : Tree.Empty;

    private readonly record struct Level(TreePair Trees, int PathLength);
}
