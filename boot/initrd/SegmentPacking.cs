using System.Buffers.Binary;
using System.IO.Compression;
using HackTree.Checkout;
using K4os.Compression.LZ4;
using SharpCompress.Compressors.BZip2;
using ZstdSharp;

namespace HackTree.Boot;

/// <summary>
/// Packs a small archive as one stream that can stand right behind another of the same compression. The kernel unpacks both, and so do programs
/// that hand everything behind the microcode to one decompressor (unmkinitramfs and lsinitramfs of Debian).
/// </summary>
internal static class SegmentPacking
{
    private const int ZstdLevel = 19;

    /// <summary>
    /// Whether a stream can follow another one of a compression. `lzma` reads one stream and no more, so behind it an archive stays bare.
    /// </summary>
    internal static bool CanFollow(Compression compression) => compression is not (Compression.None or Compression.Lzma);

    /// <summary>The stream.</summary>
    internal static byte[] Pack(Compression compression, byte[] archive) => compression switch
    {
        Compression.Gzip => ThroughStream(archive, packed => new GZipStream(packed, CompressionLevel.SmallestSize, leaveOpen: true)),
        Compression.Bzip2 => ThroughStream(archive, packed => BZip2Stream.Create(
            packed, SharpCompress.Compressors.CompressionMode.Compress, decompressConcatenated: false, leaveOpen: true)),
        Compression.Xz => XzStored.Pack(archive),
        Compression.Lz4 => Lz4(archive),
        Compression.Zstd => Zstd(archive),
        _ => throw new ArgumentOutOfRangeException(nameof(compression)),
    };

    private static byte[] ThroughStream(byte[] archive, Func<Stream, Stream> open)
    {
        var packed = new MemoryStream();
        using (Stream stream = open(packed))
        {
            stream.Write(archive);
        }

        return packed.ToArray();
    }

    private static byte[] Zstd(byte[] archive)
    {
        using var compressor = new Compressor(ZstdLevel);
        return compressor.Wrap(archive).ToArray();
    }

    /// <summary>A legacy frame of one block: the magic number, the block's packed size, the block.</summary>
    private static byte[] Lz4(byte[] archive)
    {
        const int HeaderLength = 2 * sizeof(uint);
        byte[] frame = new byte[HeaderLength + LZ4Codec.MaximumOutputSize(archive.Length)];
        int length = LZ4Codec.Encode(archive, frame.AsSpan(HeaderLength), LZ4Level.L12_MAX);
        BinaryPrimitives.WriteUInt32LittleEndian(frame, Lz4Blocks.Magic);
        BinaryPrimitives.WriteInt32LittleEndian(frame.AsSpan(sizeof(uint)), length);
        return frame[..(HeaderLength + length)];
    }
}
