namespace HackTree.Model;

/// <summary>Finds a tree's entries by name, by binary search. Takes four bytes of memory for each entry.</summary>
public sealed class TreeIndex
{
    private readonly Tree tree;
    private readonly int[] starts;

    /// <summary>Reads through the tree once.</summary>
    public TreeIndex(Tree tree)
    {
        this.tree = tree;
        starts = new int[tree.Count];
        int start = TreeLayout.CountSize;
        for (int i = 0; i < starts.Length; i++)
        {
            starts[i] = start;
            start += TreeLayout.Read(tree.Bytes[start..], out _);
        }
    }

    /// <summary>The entry of that name; <c>default</c> if there is none.</summary>
    public TreeEntry Find(ReadOnlySpan<byte> name)
    {
        int low = 0, high = starts.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            int order = TreeLayout.NameOf(tree.Bytes[starts[middle]..]).SequenceCompareTo(name);
            if (order == 0)
            {
                TreeLayout.Read(tree.Bytes[starts[middle]..], out TreeEntry entry);
                return entry;
            }

            (low, high) = order < 0 ? (middle + 1, high) : (low, middle);
        }

        return default;
    }
}
