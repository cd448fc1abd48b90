namespace HackTree.Model;

/// <summary>The rule for a name in a tree: 1-255 bytes without '/' and NUL, and neither "." nor "..".</summary>
public static class EntryName
{
    /// <summary>The longest name that Linux filesystems allow (NAME_MAX).</summary>
    public const int MaxLength = 255;

    /// <summary>Whether a tree may hold <paramref name="name"/>.</summary>
    public static bool IsValid(ReadOnlySpan<byte> name) =>
        name.Length is > 0 and <= MaxLength
        && name.IndexOfAny((byte)'/', (byte)0) < 0
        && !name.SequenceEqual("."u8)
        && !name.SequenceEqual(".."u8);
}
