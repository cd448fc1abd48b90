using System.Buffers.Binary;
using HackTree.Checkout;
using ZstdSharp;

namespace HackTree.Boot;

/// <summary>
/// Finds the end of a zstd frame from its headers (RFC 8878), because the decoder reads ahead. As in the kernel, one frame is one segment.
/// </summary>
internal static class ZstdFrame
{
    private const uint Magic = 0xFD2FB528;
    private const int BlockHeaderLength = 3;
    private const int LastBlock = 1;
    private const int RepeatedByte = 1;
    private const int HasSum = 0x04, Reserved = 0x08, IsSingleSegment = 0x20;

    internal static Decoder Open(Stream file)
    {
        long start = file.Position;
        SkipFrame(file);
        long end = file.Position;
        file.Position = start;

        // The decoder limits the window to 128 MiB, as `zstd` and the kernel do.
        return new ZstdDecoder(file, new DecompressionStream(new PartStream(file, end - start), leaveOpen: true), end);
    }

    private static void SkipFrame(Stream file)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        file.ReadExactly(bytes);
        int descriptor = file.ReadByte();
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes) != Magic || descriptor < 0 || (descriptor & Reserved) != 0)
        {
            throw new InvalidDataException();
        }

        bool isSingle = (descriptor & IsSingleSegment) != 0;
        int sizeLength = (descriptor >> 6) switch { 0 => isSingle ? 1 : 0, 1 => 2, 2 => 4, _ => 8 };
        int dictionaryLength = (descriptor & 3) == 3 ? 4 : descriptor & 3;
        RequireWindow(isSingle ? 0 : file.ReadByte());
        Skip(file, dictionaryLength + sizeLength);
        int header;
        do
        {
            file.ReadExactly(bytes[..BlockHeaderLength]);
            header = bytes[0] | (bytes[1] << 8) | (bytes[2] << 16);
            Skip(file, ((header >> 1) & 3) == RepeatedByte ? 1 : header >> 3);
        }
        while ((header & LastBlock) == 0);

        Skip(file, (descriptor & HasSum) != 0 ? sizeof(uint) : 0);
    }

    /// <summary>The first five bits of the byte are the logarithm of the window's size in KiB. The kernel refuses more than 128 MiB.</summary>
    private static void RequireWindow(int window)
    {
        if (window > 17 << 3)
        {
            throw new UnreadableFormatException("its window is larger than 128 MiB, which the kernel does not take");
        }
    }

    private static void Skip(Stream file, int count)
    {
        if (file.Length - file.Position < count)
        {
            throw new EndOfStreamException();
        }

        file.Position += count;
    }

    private sealed class ZstdDecoder(Stream file, DecompressionStream stream, long end) : Decoder
    {
        public override int Read(Span<byte> buffer)
        {
            int count = stream.Read(buffer);
            file.Position = count == 0 ? end : file.Position;
            return count;
        }

        public override void Dispose()
        {
            stream.Dispose();
            base.Dispose();
        }
    }
}
