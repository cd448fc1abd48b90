namespace HackTree.Model;

/// <summary>What a name in a tree may be: 1-255 bytes without '/' and NUL, and neither "." nor "..".</summary>
public static class EntryName
{
    /// <summary>The longest name Linux filesystems take (NAME_MAX).</summary>
    public const int MaxLength = 255;

    /// <summary>Whether <paramref name="name"/> may stand in a tree.</summary>
    public static bool IsValid(ReadOnlySpan<byte> name) =>
        name.Length is > 0 and <= MaxLength
        && name.IndexOfAny((byte)'/', (byte)0) < 0
        && !name.SequenceEqual("."u8)
        && !name.SequenceEqual(".."u8);
}
