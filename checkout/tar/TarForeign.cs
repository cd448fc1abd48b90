namespace HackTree.Checkout;

/// <summary>Knows by its first bytes what is often given in place of a tar archive, and says what to do.</summary>
internal static class TarForeign
{
    /// <summary>What is wrong with input that begins with these bytes; null for what may be a tar archive.</summary>
    internal static string? Describe(ReadOnlySpan<byte> start) => start switch
    {
        [] => "it is empty",
        [0x1F, 0x8B, ..] => Compressed("gzip", "gzip"),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => Compressed("zstd", "zstd"),
        [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, ..] => Compressed("xz", "xz"),
        [(byte)'B', (byte)'Z', (byte)'h', >= (byte)'1' and <= (byte)'9', 0x31 or 0x17, ..] => Compressed("bzip2", "bzip2"),
        [0x04, 0x22, 0x4D, 0x18, ..] => Compressed("LZ4", "lz4"),
        [(byte)'L', (byte)'Z', (byte)'I', (byte)'P', 1, ..] => Compressed("lzip", "lzip"),
        { Length: < TarHeader.BlockSize } => "this is not a tar archive",
        _ => null,
    };

    private static string Compressed(string format, string program) =>
        $"it is compressed with {format}: use `{program} -dc FILE | hacktree commit --tar -`";
}
