using System.Buffers.Binary;
using System.IO.Hashing;

namespace HackTree.Checkout;

/// <summary>
/// Unpacks one xz stream (The .xz File Format 1.1): header, blocks, index, footer. The only filter that it knows is LZMA2.
/// Of the integrity checks it compares CRC32, CRC64 and SHA-256. The kernel (lib/xz) takes no check or CRC32, and knows BCJ filters of some
/// architectures as well. SharpCompress has an xz reader too, but it allocates any dictionary that the header claims.
/// </summary>
public sealed class XzDecoder : Decoder
{
    private const int HeaderLength = 12;
    private const int FooterLength = 12;
    private const int CheckType = 7;
    private const int Alignment = 4;
    private const int MoreFilters = 0x03, HasPackedSize = 0x40, HasSize = 0x80;
    private const ulong Lzma2 = 0x21, Delta = 0x03;

    /// <summary>Filters for machine code, by their numbers from 4 on (section 5.3.2).</summary>
    private static readonly string[] CodeFilters = ["x86", "powerpc", "ia64", "arm", "armthumb", "sparc", "arm64", "riscv"];

    private readonly Stream file;
    private readonly byte check;
    private readonly XzCheck sum;
    private Stream? block;
    private long blockStart;
    private ulong blocks;
    private bool hasEnded;

    /// <summary>Begins at the stream's header. The input's position must be readable; it need not be settable.</summary>
    public XzDecoder(Stream file)
    {
        this.file = file;
        Span<byte> header = stackalloc byte[HeaderLength];
        file.ReadExactly(header);
        Require(header.StartsWith((ReadOnlySpan<byte>)[0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, 0]));
        Require(Crc32.HashToUInt32(header[6..8]) == BinaryPrimitives.ReadUInt32LittleEndian(header[8..]));
        check = header[CheckType];
        Require(check < 16);
        sum = new XzCheck(check);
    }

    /// <inheritdoc/>
    public override string? KernelFault => check <= XzCheck.Crc32Number ? null
        : $"its integrity check is {sum.Name}, and the kernel takes only crc32; make the initrd again with `xz --check=crc32`";

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        while (!hasEnded)
        {
            if (block == null && !OpenBlock())
            {
                ReadIndexAndFooter();
                hasEnded = true;
                break;
            }

            int count = block!.Read(buffer);
            if (count > 0)
            {
                sum.Append(buffer[..count]);
                return count;
            }

            CloseBlock();
        }

        return 0;
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        block?.Dispose();
        sum.Dispose();
        base.Dispose();
    }

    private bool OpenBlock()
    {
        long start = file.Position;
        int first = file.ReadByte();
        Require(first >= 0);
        if (first == 0)
        {
            return false;
        }

        byte[] header = new byte[(first + 1) * Alignment];
        header[0] = (byte)first;
        file.ReadExactly(header, 1, header.Length - 1);
        ReadOnlySpan<byte> fields = header.AsSpan(0, header.Length - sizeof(uint));
        Require(Crc32.HashToUInt32(fields) == BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(fields.Length)));
        int flags = fields[1];
        fields = fields[2..];
        _ = (flags & HasPackedSize) != 0 ? TakeNumber(ref fields) : 0;
        _ = (flags & HasSize) != 0 ? TakeNumber(ref fields) : 0;
        RequireLzma2(TakeNumber(ref fields), flags & MoreFilters);
        Require(TakeNumber(ref fields) == 1);
        block = Lzma.OpenSecond(file, fields[0]);
        blockStart = start;
        blocks++;
        return true;
    }

    /// <summary>Tells a block with another filter from a damaged one. Its header agrees with its checksum.</summary>
    private static void RequireLzma2(ulong first, int more)
    {
        if (first == Lzma2 && more == 0)
        {
            return;
        }

        Require(first < 4UL + (ulong)CodeFilters.Length && first >= Delta && more > 0);
        string filter = first == Delta ? "delta" : $"{CodeFilters[first - Delta - 1]} (BCJ)";
        throw new UnreadableFormatException(
            $"it is packed with the xz filter {filter}, which HackTree cannot read");
    }

    private void CloseBlock()
    {
        block?.Dispose();
        block = null;
        SkipPadding(file.Position - blockStart);
        Span<byte> stored = stackalloc byte[XzCheck.LongestLength];
        stored = stored[..sum.Length];
        file.ReadExactly(stored);
        Require(sum.TakeAgreesWith(stored));
    }

    /// <summary>
    /// Reads the index, which repeats the blocks' sizes, and the footer. The first byte of the index, 0, was read already.
    /// </summary>
    private void ReadIndexAndFooter()
    {
        long start = file.Position - 1;
        Require(ReadNumber() == blocks);
        for (ulong i = 0; i < blocks; i++)
        {
            _ = ReadNumber();
            _ = ReadNumber();
        }

        SkipPadding(file.Position - start);
        Span<byte> indexSum = stackalloc byte[sizeof(uint)];
        file.ReadExactly(indexSum);
        long length = file.Position - start;
        Span<byte> footer = stackalloc byte[FooterLength];
        file.ReadExactly(footer);
        Require(footer.EndsWith("YZ"u8) && footer[9] == check);
        Require(Crc32.HashToUInt32(footer[4..10]) == BinaryPrimitives.ReadUInt32LittleEndian(footer));
        Require((BinaryPrimitives.ReadUInt32LittleEndian(footer[4..]) + 1L) * Alignment == length);
    }

    private void SkipPadding(long length)
    {
        while (length++ % Alignment != 0)
        {
            Require(file.ReadByte() == 0);
        }
    }

    /// <summary>Reads a number of the format: seven bits in each byte, lowest first.</summary>
    private ulong ReadNumber()
    {
        ulong number = 0;
        for (int shift = 0; shift < 63; shift += 7)
        {
            int b = file.ReadByte();
            Require(b >= 0);
            number |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
            {
                return number;
            }
        }

        throw new InvalidDataException();
    }

    private static ulong TakeNumber(ref ReadOnlySpan<byte> bytes)
    {
        ulong number = 0;
        for (int i = 0; i < 9; i++)
        {
            number |= (ulong)(bytes[i] & 0x7F) << (7 * i);
            if (bytes[i] < 0x80)
            {
                bytes = bytes[(i + 1)..];
                return number;
            }
        }

        throw new InvalidDataException();
    }
}
