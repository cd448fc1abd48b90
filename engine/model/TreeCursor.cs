namespace HackTree.Model;

/// <summary>
/// A position in a tree. Unlike an enumerator it can be stored: a walk keeps a stack of cursors instead of recursing, so a tree nested a
/// million deep cannot overflow the thread's stack.
/// </summary>
public struct TreeCursor
{
    private int offset;

    /// <summary>Starts before the first entry.</summary>
    public TreeCursor(Tree tree)
    {
        Tree = tree;
        offset = TreeLayout.CountSize;
    }

    /// <summary>The tree.</summary>
    public Tree Tree { get; }

    /// <summary>Moves to the next entry and returns it; false at the end.</summary>
    public bool Next(out TreeEntry entry)
    {
        ReadOnlySpan<byte> rest = Tree.Bytes[offset..];
        if (rest.IsEmpty)
        {
            entry = default;
            return false;
        }

        offset += TreeLayout.Read(rest, out entry);
        return true;
    }
}
