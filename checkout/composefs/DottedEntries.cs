using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>The entries of a tree with "." and "..", which an image's directories have, each in its place by name.</summary>
internal ref struct DottedEntries(Tree tree)
{
    private Tree.Enumerator entries = tree.GetEnumerator();
    private bool isRead;
    private bool isEnd;
    private int dots;

    /// <summary>The entry that <see cref="MoveNext"/> came to.</summary>
    internal TreeEntry Current { get; private set; }

    /// <summary>Whether <see cref="Current"/> is "." or "..".</summary>
    internal bool IsDots { get; private set; }

    /// <summary>Moves to the next entry; false at the end.</summary>
    internal bool MoveNext()
    {
        if (!isRead)
        {
            isEnd = !entries.MoveNext();
            isRead = true;
        }

        ReadOnlySpan<byte> next = ".."u8[..Math.Min(dots + 1, 2)];
        IsDots = dots < 2 && (isEnd || next.SequenceCompareTo(entries.Current.Name) < 0);
        if (IsDots)
        {
            dots++;
            Current = new TreeEntry { Kind = EntryKind.Directory, Name = next };
            return true;
        }

        Current = isEnd ? default : entries.Current;
        isRead = false;
        return !isEnd;
    }
}
