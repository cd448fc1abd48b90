namespace HackTree.Model;

/// <summary>
/// A place in two trees at once, which goes through their names in order. Files that both have, byte for byte, are passed over without
/// being decoded: of two listings that differ by a name nearly all is the same. Like a <see cref="TreeCursor"/> it can be kept.
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
    /// Moves to the next name that stands for something else in the two trees, or for a directory in both, and gives what it stands for;
    /// none where a tree has no such name. False at the end of both.
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

    /// <summary>How many bytes both begin with that are entries of no directories.</summary>
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
