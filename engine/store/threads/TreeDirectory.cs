using HackTree.Model;

namespace HackTree.Store;

/// <summary>
/// A directory of a tree that several threads work on. It is finished when its own entries are done and every directory below it that
/// <see cref="Expect"/> announced is finished.
/// </summary>
/// <typeparam name="TSelf">The kind of directory. The directories above and below have the same kind.</typeparam>
public abstract class TreeDirectory<TSelf>(TSelf? parent, byte[] name)
    where TSelf : TreeDirectory<TSelf>
{
    private int unfinished = 1;

    /// <summary>The directory above; null for the top.</summary>
    public TSelf? Parent => parent;

    /// <summary>The directory's name. The name of the top is in no path.</summary>
    public byte[] Name => name;

    /// <summary>Announces a directory below, which must finish first.</summary>
    public void Expect() => Interlocked.Increment(ref unfinished);

    /// <summary>Reports that the own entries, or one of the directories below, are done. True if that finishes this directory.</summary>
    public bool FinishOne() => Interlocked.Decrement(ref unfinished) == 0;

    /// <summary>The path of an entry, from the top; with an empty name, the path of the directory itself.</summary>
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

    /// <summary>
    /// The path of an entry for messages, beginning with the top's own path. Make it only for a failure: a tree may be a million directories
    /// deep.
    /// </summary>
    public string Subject(string topPath, ReadOnlySpan<byte> entryName)
    {
        byte[] path = PathOf(entryName);
        return path.Length == 0 ? topPath : $"{topPath.TrimEnd('/')}/{ByteText.Quote(path)}";
    }
}
