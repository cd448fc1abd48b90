using HackTree.Model;

namespace HackTree.Store;

/// <summary>Called for each entry of a walk. For a directory, the result says whether to walk into it.</summary>
/// <param name="path">The entry's path, its name included; valid during the call.</param>
/// <param name="entry">The entry; valid during the call.</param>
public delegate bool TreeVisitor(PathBuffer path, in TreeEntry entry);

/// <summary>Walks stored trees: each directory before its entries, names in order.</summary>
public static class TreeWalk
{
    // The kernel follows as many (path_resolution(7)).
    private const int MaxLinks = 40;

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
    /// Finds the entry at <paramref name="path"/> below a root; false if there is none. The empty path stands for the root directory.
    /// Symbolic links are not followed.
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

    /// <summary>
    /// Finds an entry like <see cref="TryFind"/>, but follows symbolic links as a process in that root would: an absolute target starts at the
    /// top of the tree, and ".." does not lead above it. Throws <see cref="StoreException"/> if the links form a circle.
    /// </summary>
    public static bool TryFollow(Packs packs, Commit commit, ReadOnlySpan<byte> path, out TreeEntry entry)
    {
        var found = new PathBuffer();
        var above = new Stack<int>();
        ReadOnlySpan<byte> rest = path;
        int links = 0;
        while (!rest.IsEmpty)
        {
            int slash = rest.IndexOf((byte)'/');
            ReadOnlySpan<byte> name = slash < 0 ? rest : rest[..slash];
            rest = slash < 0 ? default : rest[(slash + 1)..];
            if (name.SequenceEqual(".."u8))
            {
                found.Cut(above.TryPop(out int before) ? before : 0);
            }
            else if (!name.IsEmpty && !name.SequenceEqual("."u8))
            {
                above.Push(found.Push(name));
                if (!TryFind(packs, commit, found.Bytes, out entry) || (slash >= 0 && entry.Kind is not (EntryKind.Directory or EntryKind.Symlink)))
                {
                    entry = default;
                    return false;
                }

                if (entry.Kind == EntryKind.Symlink)
                {
                    if (++links > MaxLinks)
                    {
                        throw new StoreException(
                            $"'{ByteText.Quote(path)}' leads through more than {MaxLinks} symbolic links: they may go round in a circle");
                    }

                    bool isAbsolute = entry.Target.StartsWith((byte)'/');
                    found.Cut(isAbsolute ? 0 : above.Pop());
                    if (isAbsolute)
                    {
                        above.Clear();
                    }

                    byte[] further = rest.IsEmpty ? entry.Target.ToArray() : [.. entry.Target, (byte)'/', .. rest];
                    rest = further;
                }
            }
        }

        return TryFind(packs, commit, found.Bytes, out entry);
    }
}
