using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>Recognizes input that is often given in place of a tar archive, by its first bytes.</summary>
internal static class TarForeign
{
    /// <summary>Says what is wrong with input that begins with these bytes; null if it may be a tar archive.</summary>
    internal static string? FindFault(ReadOnlySpan<byte> start, out Remedy? remedy)
    {
        (string Format, string Program) = FindCompression(start);
        remedy = Program.Length == 0 ? null : new Remedy.Decompress(Program);
        return remedy is not null ? $"it is compressed with {Format}"
            : start.IsEmpty ? "it is empty"
            : start.Length < TarHeader.BlockSize ? "this is not a tar archive"
            : null;
    }

    /// <summary>
    /// The format of compressed bytes and the program that decompresses it; empty if none is known. These are formats that
    /// <see cref="TarPacking"/> does not open, or that it opened and found inside.
    /// </summary>
    private static (string Format, string Program) FindCompression(ReadOnlySpan<byte> start) => start switch
    {
        [0x1F, 0x8B, ..] => ("gzip", "gzip"),
        [0x1F, 0x9D, ..] => ("compress", "gzip"),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => ("zstd", "zstd"),
        [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, ..] => ("xz", "xz"),
        [0x5D, 0, 0, _, _, ..] when start.Length > 12 && start[12] is 0 or 0xFF => ("lzma", "xz"),
        [(byte)'B', (byte)'Z', (byte)'h', >= (byte)'1' and <= (byte)'9', 0x31 or 0x17, ..] => ("bzip2", "bzip2"),
        [0x04, 0x22, 0x4D, 0x18, ..] or [0x02, 0x21, 0x4C, 0x18, ..] => ("lz4", "lz4"),
        [(byte)'L', (byte)'Z', (byte)'I', (byte)'P', 1, ..] => ("lzip", "lzip"),
        _ => ("", ""),
    };
}
