using System.Buffers.Binary;
using System.IO.Hashing;

namespace HackTree.Boot;

/// <summary>
/// Writes an xz stream (The .xz File Format 1.1) whose LZMA2 chunks are not compressed. No library here has an encoder, and the archive is small.
/// <code>
/// stream header   magic, flags 00 01 (CRC32), CRC32 of the flags                       12 bytes
/// block header    size, flags 0, filter 21 with 1 byte of properties, zeros, CRC32     12 bytes
/// chunks          01 or 02, size - 1 in 2 bytes, the bytes; 00 after the last one; zeros up to a multiple of 4
/// check           CRC32 of the archive
/// index           00, number of blocks, unpadded size, unpacked size; zeros up to a multiple of 4; CRC32
/// stream footer   CRC32, size of the index / 4 - 1, flags, magic                       12 bytes
/// </code>
/// </summary>
internal static class XzStored
{
    private const int Alignment = 4;
    private const int MaxChunk = 64 * 1024;
    private const byte FirstChunk = 1, NextChunk = 2;

    // A dictionary of 64 KiB: section 5.3.1 of the format.
    private const byte Dictionary = 8;

    private static ReadOnlySpan<byte> Flags => [0, 1];

    internal static byte[] Pack(byte[] archive)
    {
        var stream = new MemoryStream();
        stream.Write([0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, .. Flags]);
        WriteSum(stream, Flags);
        ReadOnlySpan<byte> header = [2, 0, 0x21, 1, Dictionary, 0, 0, 0];
        long start = stream.Position;
        stream.Write(header);
        WriteSum(stream, header);
        WriteChunks(stream, archive);
        long unpadded = stream.Position - start + sizeof(uint);
        Pad(stream, start);
        WriteSum(stream, archive);
        WriteIndexAndFooter(stream, unpadded, archive.Length);
        return stream.ToArray();
    }

    private static void WriteChunks(MemoryStream stream, byte[] archive)
    {
        for (int done = 0; done < archive.Length; done += MaxChunk)
        {
            ReadOnlySpan<byte> chunk = archive.AsSpan(done, Math.Min(MaxChunk, archive.Length - done));
            int size = chunk.Length - 1;
            stream.Write([done == 0 ? FirstChunk : NextChunk, (byte)(size >> 8), (byte)size]);
            stream.Write(chunk);
        }

        stream.WriteByte(0);
    }

    private static void WriteIndexAndFooter(MemoryStream stream, long unpadded, long unpacked)
    {
        var index = new MemoryStream();
        index.Write([0, 1]);
        WriteNumber(index, unpadded);
        WriteNumber(index, unpacked);
        Pad(index, 0);
        stream.Write(index.ToArray());
        WriteSum(stream, index.ToArray());
        byte[] footer = new byte[sizeof(uint) + Flags.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(footer, (uint)(index.Length / Alignment));
        Flags.CopyTo(footer.AsSpan(sizeof(uint)));
        WriteSum(stream, footer);
        stream.Write([.. footer, (byte)'Y', (byte)'Z']);
    }

    /// <summary>Writes a number of the format: seven bits in each byte, lowest first.</summary>
    private static void WriteNumber(MemoryStream stream, long number)
    {
        for (; number >= 0x80; number >>= 7)
        {
            stream.WriteByte((byte)(number | 0x80));
        }

        stream.WriteByte((byte)number);
    }

    private static void WriteSum(MemoryStream stream, ReadOnlySpan<byte> bytes)
    {
        byte[] sum = new byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(sum, Crc32.HashToUInt32(bytes));
        stream.Write(sum);
    }

    private static void Pad(MemoryStream stream, long start)
    {
        while ((stream.Position - start) % Alignment != 0)
        {
            stream.WriteByte(0);
        }
    }
}
