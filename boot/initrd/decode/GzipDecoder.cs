using System.Buffers.Binary;
using System.IO.Hashing;
using HackTree.Checkout;
using SharpCompress.Compressors;
using SharpCompress.Compressors.Deflate;

namespace HackTree.Boot;

/// <summary>
/// Unpacks one gzip member (RFC 1952). System.IO.Compression is not used, because its stream reads ahead, goes on with the next member by
/// itself, and does not say where it stopped.
/// </summary>
internal sealed class GzipDecoder : Decoder
{
    private const int HeaderLength = 10;
    private const int FlagsOffset = 3;
    private const int HasHeaderSum = 2, HasExtra = 4, HasName = 8, HasComment = 16;
    private const byte Deflate = 8;

    private readonly Stream file;
    private readonly long start;
    private readonly DeflateStream deflate;
    private readonly Crc32 sum = new();
    private uint length;
    private bool hasEnded;
    private bool hasUnknownField;

    internal GzipDecoder(Stream file)
    {
        this.file = file;
        ReadHeader();
        start = file.Position;
        deflate = new DeflateStream(file, CompressionMode.Decompress);
    }

    /// <summary>The kernel skips a file's name in the header and no other field (lib/decompress_inflate.c).</summary>
    public override string? KernelFault => !hasUnknownField ? null
        : "its header has an extra field, a comment or a checksum, which the kernel takes for data; pack it again with `gzip`";

    public override int Read(Span<byte> buffer)
    {
        if (hasEnded)
        {
            return 0;
        }

        int count = deflate.Read(buffer);
        length += (uint)count;
        sum.Append(buffer[..count]);
        if (count == 0)
        {
            ReadTrailer();
            hasEnded = true;
        }

        return count;
    }

    private void ReadHeader()
    {
        Span<byte> header = stackalloc byte[HeaderLength];
        file.ReadExactly(header);
        int flags = header[FlagsOffset];
        Require(header[2] == Deflate && flags < 2 * HasComment);
        hasUnknownField = (flags & (HasExtra | HasComment | HasHeaderSum)) != 0;
        if ((flags & HasExtra) != 0)
        {
            Span<byte> size = stackalloc byte[sizeof(ushort)];
            file.ReadExactly(size);
            file.Position += BinaryPrimitives.ReadUInt16LittleEndian(size);
        }

        foreach (int text in (ReadOnlySpan<int>)[HasName, HasComment])
        {
            while ((flags & text) != 0 && file.ReadByte() is var c and not 0)
            {
                Require(c > 0);
            }
        }

        file.Position += (flags & HasHeaderSum) != 0 ? sizeof(ushort) : 0;
    }

    private void ReadTrailer()
    {
        file.Position = start + deflate.TotalIn;
        Span<byte> trailer = stackalloc byte[2 * sizeof(uint)];
        file.ReadExactly(trailer);
        Require(BinaryPrimitives.ReadUInt32LittleEndian(trailer) == sum.GetCurrentHashAsUInt32());
        Require(BinaryPrimitives.ReadUInt32LittleEndian(trailer[sizeof(uint)..]) == length);
    }
}
