namespace HackTree.Model;

/// <summary>
/// A path inside a tree as bytes. A walk appends and removes one name at a time, instead of making a string for every file. The path of the
/// tree itself is empty.
/// </summary>
public sealed class PathBuffer
{
    private byte[] bytes = new byte[256];
    private int length;

    /// <summary>The path, without a slash at either end.</summary>
    public ReadOnlySpan<byte> Bytes => bytes.AsSpan(0, length);

    /// <summary>Appends a name. The result undoes this when it is passed to <see cref="Cut"/>.</summary>
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

    /// <summary>Goes back to the length that <see cref="Push"/> returned.</summary>
    public void Cut(int before) => length = before;

    /// <summary>The path as <see cref="ByteText.Quote"/> shows it.</summary>
    public override string ToString() => ByteText.Quote(Bytes);
}
