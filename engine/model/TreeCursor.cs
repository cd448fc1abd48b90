namespace HackTree.Model;

/// <summary>
/// A place in a tree that can be kept, unlike an enumerator: walks of any depth hold a stack of these instead of
/// recursing, so that a tree nested a million deep cannot overflow the stack.
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

    /// <summary>Moves to the next entry and gives it; false at the end.</summary>
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
