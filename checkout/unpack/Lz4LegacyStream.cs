using System.Buffers.Binary;

namespace HackTree.Checkout;

/// <summary>Unpacks legacy frames of lz4 that follow one another, up to the end of the input.</summary>
internal sealed class Lz4LegacyStream(PackedInput input) : ReadOnlyStream
{
    private readonly Lz4Blocks blocks = new(input);

    public override int Read(Span<byte> buffer)
    {
        Span<byte> number = stackalloc byte[sizeof(uint)];
        while (blocks.IsEmpty && !input.Peek(1).IsEmpty)
        {
            input.ReadExactly(number);

            // Another frame may begin in the place of a block's size.
            if (BinaryPrimitives.ReadUInt32LittleEndian(number) is var size and not Lz4Blocks.Magic)
            {
                blocks.Open(size);
            }
        }

        return blocks.Read(buffer);
    }
}
