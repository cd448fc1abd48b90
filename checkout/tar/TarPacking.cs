using System.IO.Compression;
using HackTree.Linux;
using HackTree.Store;
using K4os.Compression.LZ4.Streams;
using SharpCompress.Compressors.BZip2;
using ZstdSharp;
using ZstdSharp.Unsafe;

namespace HackTree.Checkout;

/// <summary>Opens an archive that may be compressed with gzip, xz, zstd, bzip2, lz4 or lzma, which its first bytes tell.</summary>
internal static class TarPacking
{
    private const int MagicLength = 13;

    // The most that a block of bzip2 unpacks to is 46 MB: 900,000 bytes, of which each 5 may stand for 259.
    private const int LongestBlock = 64 * 1024 * 1024;

    /// <summary>The archive's bytes, unpacked while they are read. A compressed one is checked up to its end.</summary>
    internal static Stream Open(Stream stream)
    {
        // .NET's decoder takes a gzip stream that was cut short for a whole one, unless this is set.
        AppContext.SetSwitch("System.IO.Compression.UseStrictValidation", true);
        var input = new PackedInput(stream);
        return input.Peek(MagicLength) switch
        {
            [0x1F, 0x8B, ..] => new Unpacked("gzip", input, () => new GZipStream(input, CompressionMode.Decompress, leaveOpen: true)),
            [0x28, 0xB5, 0x2F, 0xFD, ..] or [>= 0x50 and <= 0x5F, 0x2A, 0x4D, 0x18, ..] =>
                new Unpacked("zstd", input, () => new DecompressionStream(input, leaveOpen: true)),
            [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, ..] => new Unpacked("xz", input, () => new XzStream(input)),
            [(byte)'B', (byte)'Z', (byte)'h', >= (byte)'1' and <= (byte)'9', 0x31 or 0x17, ..] => new Unpacked("bzip2", input, () => OpenBzip2(input)),
            [0x04, 0x22, 0x4D, 0x18, ..] => new Unpacked("lz4", input, () => LZ4Stream.Decode(input, leaveOpen: true)),
            [0x02, 0x21, 0x4C, 0x18, ..] => new Unpacked("lz4", input, () => new Lz4LegacyStream(input)),
            [0x5D, 0, 0, _, _, _, _, _, _, _, _, _, 0 or 0xFF] => new Unpacked("lzma", input, () => Lzma.OpenAlone(input)),
            _ => input,
        };
    }

    /// <summary>
    /// Reads on after a fault in an archive. Some decoders give the bytes of a block before they compare its sum, so the fault may come from damage,
    /// and then that is thrown, as <see cref="TarException"/>. An archive that is not compressed has no sums.
    /// </summary>
    internal static void RequireUndamaged(Stream archive)
    {
        if (archive is not Unpacked { HasFailed: false } unpacked)
        {
            return;
        }

        byte[] rest = new byte[64 * 1024];
        for (int left = LongestBlock; left > 0 && unpacked.Read(rest) is > 0 and int count; left -= count)
        {
        }
    }

    private static BZip2Stream OpenBzip2(PackedInput input) => BZip2Stream.Create(
        input,
        SharpCompress.Compressors.CompressionMode.Decompress,
        decompressConcatenated: true,
        leaveOpen: true,
        tolerateTruncatedStream: false);

    /// <summary>Makes one sentence of whatever a decoder throws.</summary>
    private sealed class Unpacked(string format, PackedInput input, Func<Stream> open) : ReadOnlyStream
    {
        private Stream? decoder;

        /// <summary>Whether the decoder threw. What it would give after that says nothing.</summary>
        internal bool HasFailed { get; private set; }

        public override int Read(Span<byte> buffer)
        {
            try
            {
                decoder ??= open();
                return decoder.Read(buffer);
            }
            catch (Exception e)
            {
                HasFailed = true;
                if (Sentence(e) is { } told)
                {
                    throw told;
                }

                throw;
            }
        }

        /// <summary>What an exception of the decoder says of the archive; null if it says nothing of it.</summary>
        private TarException? Sentence(Exception exception) => exception switch
        {
            LinuxException or OperationCanceledException or OutOfMemoryException or StoreException => null,
            UnreadableFormatException =>
                new TarException($"{exception.Message} (at byte {input.Position} of the {format} data)", new Remedy.Decompress(format)),
            ZstdException { Code: ZSTD_ErrorCode.ZSTD_error_frameParameter_windowTooLarge } =>
                new TarException("its window is larger than 128 MiB", new Remedy.Decompress("zstd --long=31")),
            _ => new TarException($"the {format} data is damaged, cut short, or followed by something else (before byte {input.Position})"),
        };

        protected override void Dispose(bool disposing)
        {
            decoder?.Dispose();
            base.Dispose(disposing);
        }
    }
}
