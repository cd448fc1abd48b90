namespace HackTree.Model;

/// <summary>
/// A path inside a tree as bytes, grown and cut by one name at a time: what a walk keeps instead of making a string for
/// every file. The path of the tree itself is empty.
/// </summary>
public sealed class PathBuffer
{
    private byte[] bytes = new byte[256];
    private int length;

    /// <summary>The path, without a slash at either end.</summary>
    public ReadOnlySpan<byte> Bytes => bytes.AsSpan(0, length);

    /// <summary>Appends a name and answers what to hand to <see cref="Cut"/> afterwards.</summary>
    public int Push(ReadOnlySpan<byte> name)
    {
        int before = length;
        int needed = length + name.Length + 1;
        if (needed > bytes.Length)
        {
            Array.Resize(ref bytes, Math.Max(needed, bytes.Length * 2));
        }

        if (length > 0)
        {
            bytes[length++] = (byte)'/';
        }

        name.CopyTo(bytes.AsSpan(length));
        length += name.Length;
        return before;
    }

    /// <summary>Goes back to an earlier length.</summary>
    public void Cut(int before) => length = before;

    /// <summary>The path as <see cref="ByteText.Quote"/> shows it.</summary>
    public override string ToString() => ByteText.Quote(Bytes);
}
