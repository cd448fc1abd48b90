using K4os.Compression.LZ4;

namespace HackTree.Checkout;

/// <summary>
/// Unpacks the blocks of lz4's legacy frame, as `lz4 -l` writes it: the magic number, then blocks with their packed size before them. Every block
/// except the last has 8 MiB unpacked. The frame has no end mark and no checksum. The caller reads the sizes, and knows what may stand between blocks.
/// </summary>
public sealed class Lz4Blocks(Stream input)
{
    /// <summary>The number that a frame begins with. No block is as long.</summary>
    public const uint Magic = 0x184C2102;

    private const int MaxBlock = 8 * 1024 * 1024;

    private byte[] packed = [];
    private byte[] block = [];
    private int at;
    private int end;

    /// <summary>Whether no bytes of a block are left.</summary>
    public bool IsEmpty => at == end;

    /// <summary>Reads bytes of the block; 0 at its end.</summary>
    public int Read(Span<byte> buffer)
    {
        int count = Math.Min(buffer.Length, end - at);
        block.AsSpan(at, count).CopyTo(buffer);
        at += count;
        return count;
    }

    /// <summary>Reads and unpacks the next block, of that packed size. Throws if it is damaged, cut short or too long.</summary>
    public void Open(uint size)
    {
        Require(size > 0 && size <= LZ4Codec.MaximumOutputSize(MaxBlock));
        packed = packed.Length >= size ? packed : new byte[size];
        input.ReadExactly(packed, 0, (int)size);

        // One byte of a packed block stands for at most 255 bytes.
        int room = (int)Math.Min(MaxBlock, size * 255L);
        block = block.Length >= room ? block : new byte[room];
        at = 0;
        end = 0;
        int length = LZ4Codec.Decode(packed.AsSpan(0, (int)size), block.AsSpan(0, room));
        Require(length >= 0);
        end = length;
    }

    private static void Require(bool isRight)
    {
        if (!isRight)
        {
            throw new InvalidDataException();
        }
    }
}
