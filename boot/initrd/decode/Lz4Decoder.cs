using System.Buffers.Binary;
using HackTree.Checkout;
using K4os.Compression.LZ4;

namespace HackTree.Boot;

/// <summary>
/// Unpacks the legacy frame of lz4, as `lz4 -l` writes it: the magic number, then blocks with their packed size before them. Every block
/// except the last has 8 MiB unpacked. The frame has no end mark: the kernel reads up to the end of the initrd or a size of 0, and accepts
/// another magic number between blocks.
/// </summary>
internal sealed class Lz4Decoder : Decoder
{
    /// <summary>This many zeros end the frame for the kernel (since 5.14). Without them the kernel reads what follows as a block.</summary>
    internal const int EndLength = sizeof(uint);

    internal const uint Magic = 0x184C2102;
    private const int MaxBlock = 8 * 1024 * 1024;

    private readonly Stream file;
    private byte[] packed = [];
    private byte[] block = [];
    private int at;
    private int end;
    private bool isAtFrame;

    internal Lz4Decoder(Stream file)
    {
        this.file = file;
        Require(TryReadNumber(out uint magic) && magic == Magic);
    }

    public override int Read(Span<byte> buffer)
    {
        while (at == end)
        {
            if (isAtFrame || !ReadBlock())
            {
                return 0;
            }
        }

        int count = Math.Min(buffer.Length, end - at);
        block.AsSpan(at, count).CopyTo(buffer);
        at += count;
        return count;
    }

    /// <summary>The kernel reads a further frame as a part of the first one.</summary>
    public override bool TryGoOn()
    {
        bool goesOn = isAtFrame;
        file.Position += goesOn ? sizeof(uint) : 0;
        isAtFrame = false;
        return goesOn;
    }

    private bool ReadBlock()
    {
        if (!TryReadNumber(out uint size))
        {
            return false;
        }

        if (size is 0 or Magic)
        {
            file.Position -= sizeof(uint);
            isAtFrame = size == Magic;
            return false;
        }

        // The size is compared with the bytes that are left before memory is allocated.
        Require(size <= LZ4Codec.MaximumOutputSize(MaxBlock) && size <= file.Length - file.Position);
        packed = packed.Length >= size ? packed : new byte[size];
        file.ReadExactly(packed, 0, (int)size);

        // One byte of a packed block stands for at most 255 bytes.
        int room = (int)Math.Min(MaxBlock, size * 255L);
        block = block.Length >= room ? block : new byte[room];
        at = 0;
        end = LZ4Codec.Decode(packed.AsSpan(0, (int)size), block.AsSpan(0, room));
        Require(end >= 0);
        return true;
    }

    /// <summary>Reads a number. False if the file has fewer than four bytes left; the position is then unchanged.</summary>
    private bool TryReadNumber(out uint number)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        int count = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        number = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        file.Position -= count == bytes.Length ? 0 : count;
        return count == bytes.Length;
    }
}
