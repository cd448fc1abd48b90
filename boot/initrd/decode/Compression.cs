using HackTree.Checkout;

namespace HackTree.Boot;

/// <summary>
/// How a segment of an initrd is compressed. These are the formats that the kernel knows (lib/decompress.c), except lzo, which nobody uses.
/// </summary>
public enum Compression
{
    /// <summary>A bare cpio archive.</summary>
    None,
    /// <summary>gzip.</summary>
    Gzip,
    /// <summary>bzip2.</summary>
    Bzip2,
    /// <summary>The format of `lzma`.</summary>
    Lzma,
    /// <summary>xz.</summary>
    Xz,
    /// <summary>The legacy frame of lz4 (`lz4 -l`).</summary>
    Lz4,
    /// <summary>zstd.</summary>
    Zstd,
}

/// <summary>Recognizes a compression by its first bytes, and opens its decoder.</summary>
internal static class Compressions
{
    /// <summary>The number of bytes that <see cref="Detect"/> looks at.</summary>
    internal const int MagicLength = 6;

    private const string Known = "a bare newc cpio, gzip, bzip2, lzma, xz, lz4 (legacy frame) and zstd";

    /// <summary>
    /// The compression that begins with these bytes. It compares as many bytes as the kernel does. Null, with the end of a sentence in
    /// <paramref name="fault"/>, if there is none.
    /// </summary>
    internal static Compression? Detect(ReadOnlySpan<byte> magic, out string fault)
    {
        fault = "";
        switch (magic)
        {
            case [(byte)'0', ..]:
                return Compression.None;
            case [0x1F, 0x8B, ..]:
                return Compression.Gzip;
            case [0x1F, 0x9E, ..]:
                fault = "this is gzip of the old format, which the kernel recognizes and then refuses; pack it again with `gzip`";
                return null;
            case [(byte)'B', (byte)'Z', ..]:
                return Compression.Bzip2;
            case [0x5D, 0x00, ..]:
                return Compression.Lzma;
            case [0xFD, (byte)'7', ..]:
                return Compression.Xz;
            case [0x02, 0x21, ..]:
                return Compression.Lz4;
            case [0x28, 0xB5, ..]:
                return Compression.Zstd;
            case [0x89, (byte)'L', ..]:
                fault = $"the compression is lzo, which HackTree cannot read; make the initrd again with another one ({Known})";
                return null;
            case [0x04, 0x22, 0x4D, 0x18, ..]:
                fault = "this is an lz4 frame that the kernel does not take; make it with `lz4 -l`";
                return null;
            default:
                string bytes = BitConverter.ToString(magic.ToArray()).Replace('-', ' ').ToLowerInvariant();
                fault = $"unknown compression: it begins with {bytes}; known are {Known}";
                return null;
        }
    }

    /// <summary>The decoder of the stream that begins at the file's position.</summary>
    internal static Decoder Open(Compression compression, Stream file) => compression switch
    {
        Compression.None => new StreamDecoder(file),
        Compression.Gzip => new GzipDecoder(file),
        Compression.Bzip2 => new StreamDecoder(Bzip2(file)),
        Compression.Lzma => new StreamDecoder(Lzma.OpenAlone(file)),
        Compression.Xz => new XzDecoder(file),
        Compression.Lz4 => new Lz4Decoder(file),
        Compression.Zstd => ZstdFrame.Open(file),
        _ => throw new ArgumentOutOfRangeException(nameof(compression)),
    };

    private static SharpCompress.Compressors.BZip2.BZip2Stream Bzip2(Stream file) => SharpCompress.Compressors.BZip2.BZip2Stream.Create(
        PartStream.Rest(file),
        SharpCompress.Compressors.CompressionMode.Decompress,
        decompressConcatenated: false,
        leaveOpen: true,
        tolerateTruncatedStream: false);
}
