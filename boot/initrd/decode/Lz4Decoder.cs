using System.Buffers.Binary;
using HackTree.Checkout;

namespace HackTree.Boot;

/// <summary>
/// Unpacks the legacy frame of lz4 in an initrd. The frame has no end mark: the kernel reads up to the end of the initrd or a size of 0, and
/// accepts another magic number between blocks.
/// </summary>
internal sealed class Lz4Decoder : Decoder
{
    /// <summary>This many zeros end the frame for the kernel (since 5.14). Without them the kernel reads what follows as a block.</summary>
    internal const int EndLength = sizeof(uint);

    private readonly Stream file;
    private readonly Lz4Blocks blocks;
    private bool isAtFrame;

    internal Lz4Decoder(Stream file)
    {
        this.file = file;
        blocks = new Lz4Blocks(file);
        Require(TryReadNumber(out uint magic) && magic == Lz4Blocks.Magic);
    }

    public override int Read(Span<byte> buffer)
    {
        while (blocks.IsEmpty)
        {
            if (isAtFrame || !ReadBlock())
            {
                return 0;
            }
        }

        return blocks.Read(buffer);
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

        if (size is 0 or Lz4Blocks.Magic)
        {
            file.Position -= sizeof(uint);
            isAtFrame = size == Lz4Blocks.Magic;
            return false;
        }

        // The size is compared with the bytes that are left before memory is allocated.
        Require(size <= file.Length - file.Position);
        blocks.Open(size);
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
