namespace HackTree.Model;

/// <summary>
/// A position in two trees that goes through the names of both in order. Files that are the same in both trees, byte for byte, are skipped
/// without being decoded, because listings that differ by a name are mostly the same. Like a <see cref="TreeCursor"/> it can be stored.
/// </summary>
public struct TreePair
{
    private readonly Tree one;
    private readonly Tree other;
    private int place;
    private int otherPlace;

    /// <summary>Starts before the first entries.</summary>
    public TreePair(Tree one, Tree other)
    {
        this.one = one;
        this.other = other;
        place = otherPlace = TreeLayout.CountSize;
    }

    /// <summary>
    /// Moves to the next name that differs between the two trees or is a directory in both, and returns both entries. An entry is
    /// <c>default</c> if its tree lacks the name. False at the end of both trees.
    /// </summary>
    public bool Next(out TreeEntry entry, out TreeEntry otherEntry)
    {
        ReadOnlySpan<byte> rest = one.Bytes[place..], otherRest = other.Bytes[otherPlace..];
        int same = SameFiles(rest, otherRest);
        rest = rest[same..];
        otherRest = otherRest[same..];
        int order = otherRest.IsEmpty ? -1 : rest.IsEmpty ? 1 : TreeLayout.NameOf(rest).SequenceCompareTo(TreeLayout.NameOf(otherRest));
        entry = otherEntry = default;
        place += same + (order <= 0 && !rest.IsEmpty ? TreeLayout.Read(rest, out entry) : 0);
        otherPlace += same + (order >= 0 ? TreeLayout.Read(otherRest, out otherEntry) : 0);
        return entry.Exists || otherEntry.Exists;
    }

    /// <summary>The number of bytes at the start of both that hold the same entries, up to the first directory.</summary>
    private static int SameFiles(ReadOnlySpan<byte> rest, ReadOnlySpan<byte> otherRest)
    {
        int same = 0;
        while (same < rest.Length && TreeLayout.KindOf(rest[same..]) != EntryKind.Directory)
        {
            int length = TreeLayout.LengthOf(rest[same..]);
            if (otherRest.Length - same < length || !rest.Slice(same, length).SequenceEqual(otherRest.Slice(same, length)))
            {
                break;
            }

            same += length;
        }

        return same;
    }
}
