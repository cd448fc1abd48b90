using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>
/// A directory of a tree that several threads work on. It is done when its own entries are, and every directory below it
/// that it was told to expect has reported.
/// </summary>
/// <typeparam name="TSelf">The kind of directory, which those above and below it are too.</typeparam>
internal abstract class TreeDirectory<TSelf>(TSelf? parent, byte[] name)
    where TSelf : TreeDirectory<TSelf>
{
    private int unfinished = 1;

    /// <summary>The directory it is in; null for the top.</summary>
    public TSelf? Parent => parent;

    /// <summary>Its name; that of the top stands in no path.</summary>
    public byte[] Name => name;

    /// <summary>Counts a directory below that must finish first.</summary>
    public void Expect() => Interlocked.Increment(ref unfinished);

    /// <summary>Says that its own entries, or one of the directories below, are done; answers whether that was the last.</summary>
    public bool FinishOne() => Interlocked.Decrement(ref unfinished) == 0;

    /// <summary>The path below the top of an entry, or of the directory itself where the name is empty.</summary>
    public byte[] PathOf(ReadOnlySpan<byte> entryName)
    {
        int length = entryName.Length;
        for (TreeDirectory<TSelf>? d = this; d?.Parent is not null; d = d.Parent)
        {
            length += d.Name.Length + (length > 0 ? 1 : 0);
        }

        byte[] path = new byte[length];
        entryName.CopyTo(path.AsSpan(length - entryName.Length));
        int end = length - entryName.Length;
        for (TreeDirectory<TSelf>? d = this; d?.Parent is not null; d = d.Parent)
        {
            if (end < length)
            {
                path[--end] = (byte)'/';
            }

            d.Name.CopyTo(path, end -= d.Name.Length);
        }

        return path;
    }

    /// <summary>The same in messages, with the top's own path before it. Only for a failure: a tree may be a million directories deep.</summary>
    public string Subject(string topPath, ReadOnlySpan<byte> entryName)
    {
        byte[] path = PathOf(entryName);
        return path.Length == 0 ? topPath : $"{topPath.TrimEnd('/')}/{ByteText.Quote(path)}";
    }
}
