using HackTree.Model;

namespace HackTree.Store;

/// <summary>Called for each entry of a walk; answers whether to go into it, where it is a directory.</summary>
/// <param name="path">The entry's path, its name included; valid during the call.</param>
/// <param name="entry">The entry; valid during the call.</param>
public delegate bool TreeVisitor(PathBuffer path, in TreeEntry entry);

/// <summary>Walks stored trees, each directory before what is in it and names in order.</summary>
public static class TreeWalk
{
    /// <summary>Visits everything below the tree <paramref name="root"/>.</summary>
    public static void Visit(Packs packs, Digest root, TreeVisitor visitor)
    {
        var path = new PathBuffer();
        var levels = new Stack<(TreeCursor Cursor, int PathLength)>();
        (TreeCursor cursor, int pathLength) = (new TreeCursor(packs.ReadTree(root)), 0);
        while (true)
        {
            if (!cursor.Next(out TreeEntry entry))
            {
                path.Cut(pathLength);
                if (!levels.TryPop(out (TreeCursor, int) outer))
                {
                    return;
                }

                (cursor, pathLength) = outer;
                continue;
            }

            int before = path.Push(entry.Name);
            if (visitor(path, entry) && entry.IsDirectory)
            {
                levels.Push((cursor, pathLength));
                (cursor, pathLength) = (new TreeCursor(packs.ReadTree(entry.Digest)), before);
            }
            else
            {
                path.Cut(before);
            }
        }
    }

    /// <summary>
    /// Finds the entry at <paramref name="path"/> below a root; the empty path is the root directory itself. Answers
    /// false where there is none. Symbolic links are not followed.
    /// </summary>
    public static bool TryFind(Packs packs, Commit commit, ReadOnlySpan<byte> path, out TreeEntry entry)
    {
        entry = commit.RootEntry();
        while (!path.IsEmpty)
        {
            int slash = path.IndexOf((byte)'/');
            ReadOnlySpan<byte> name = slash < 0 ? path : path[..slash];
            path = slash < 0 ? default : path[(slash + 1)..];
            if (name.IsEmpty || name.SequenceEqual("."u8))
            {
                continue;
            }

            entry = entry.IsDirectory ? packs.ReadTree(entry.Digest).Find(name) : default;
            if (!entry.Exists)
            {
                return false;
            }
        }

        return true;
    }
}
