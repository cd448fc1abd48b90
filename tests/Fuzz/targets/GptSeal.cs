using System.Buffers.Binary;
using System.IO.Hashing;
using HackTree.Boot;

namespace HackTree.Tests.Fuzz;

/// <summary>Puts the checksums of both tables of a changed GPT right, as far as their own numbers say where they are.</summary>
internal static class GptSeal
{
    private const int SumOffset = 16;
    private const int StartOffset = 72;
    private const int EntriesSumOffset = 88;

    public static byte[] Of(byte[] disk)
    {
        Seal(disk, PartitionTable.SectorSize);
        Seal(disk, ((disk.Length / PartitionTable.SectorSize) - 1) * PartitionTable.SectorSize);
        return disk;
    }

    private static void Seal(byte[] disk, int at)
    {
        if (at < 0 || at + PartitionTable.SectorSize > disk.Length)
        {
            return;
        }

        Span<byte> header = disk.AsSpan(at, PartitionTable.SectorSize);
        long start = BinaryPrimitives.ReadInt64LittleEndian(header[StartOffset..]);
        long length = (long)BinaryPrimitives.ReadInt32LittleEndian(header[80..]) * BinaryPrimitives.ReadInt32LittleEndian(header[84..]);
        bool isNear = start is >= 0 and < FuzzTarget.MaxLength && length is >= 0 and <= FuzzTarget.MaxLength;
        if (isNear && (start * PartitionTable.SectorSize) + length <= disk.Length)
        {
            uint sum = Crc32.HashToUInt32(disk.AsSpan((int)start * PartitionTable.SectorSize, (int)length));
            BinaryPrimitives.WriteUInt32LittleEndian(header[EntriesSumOffset..], sum);
        }

        int size = Math.Clamp(BinaryPrimitives.ReadInt32LittleEndian(header[12..]), SumOffset + sizeof(uint), PartitionTable.SectorSize);
        header.Slice(SumOffset, sizeof(uint)).Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(header[SumOffset..], Crc32.HashToUInt32(header[..size]));
    }
}
