using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>How an entry differs between two trees.</summary>
public enum ChangeKind
{
    /// <summary>Only in the second.</summary>
    Added,
    /// <summary>Only in the first.</summary>
    Removed,
    /// <summary>In both as the same kind, with other content, metadata, target or device number.</summary>
    Modified,
    /// <summary>In both as different kinds.</summary>
    TypeChanged,
}

/// <summary>Called for each difference, a directory before what is in it. Everything is valid during the call.</summary>
/// <param name="kind">What happened.</param>
/// <param name="path">Where; empty for the trees themselves.</param>
/// <param name="before">The first tree's entry; none for <see cref="ChangeKind.Added"/>.</param>
/// <param name="after">The second tree's entry; none for <see cref="ChangeKind.Removed"/>.</param>
public delegate void ChangeVisitor(ChangeKind kind, PathBuffer path, in TreeEntry before, in TreeEntry after);

/// <summary>
/// Compares two trees. Where two directories have the same digest nothing below them differs, and nothing below them is
/// read: the cost follows the difference, not the trees.
/// </summary>
public sealed class TreeDiff
{
    private readonly Packs packs;
    private readonly ChangeVisitor visitor;
    private readonly PathBuffer path = new();
    private readonly Stack<Level> levels = new();

    private TreeDiff(Packs packs, ChangeVisitor visitor)
    {
        this.packs = packs;
        this.visitor = visitor;
    }

    /// <summary>Reports every difference between two directories, such as two commits' root entries (<see cref="TreeWalk.TryFind"/>), names in order.</summary>
    public static void Run(Packs packs, in TreeEntry before, in TreeEntry after, ChangeVisitor visitor)
    {
        var diff = new TreeDiff(packs, visitor);
        diff.Compare(before, after, 0);
        while (diff.levels.TryPop(out Level level))
        {
            diff.Step(level);
        }
    }

    /// <summary>Compares the next names of two directories; at the end of both, goes back to the directory above.</summary>
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

    /// <summary>Reports two entries of one name, and goes into them where they are directories that differ below.</summary>
    private void Compare(in TreeEntry before, in TreeEntry after, int pathLength)
    {
        ChangeKind kind = !before.Exists ? ChangeKind.Added
            : !after.Exists ? ChangeKind.Removed
            : before.Kind != after.Kind ? ChangeKind.TypeChanged
            : ChangeKind.Modified;
        if (kind != ChangeKind.Modified || !before.IsDirectory || before.Metadata != after.Metadata || !before.Xattrs.SequenceEqual(after.Xattrs))
        {
            visitor(kind, path, before, after);
        }

        if (before.Digest != after.Digest && (before.IsDirectory || after.IsDirectory))
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
