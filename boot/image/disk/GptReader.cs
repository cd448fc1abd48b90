using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.IO.Hashing;

namespace HackTree.Boot;

/// <summary>
/// Reads a GPT: the one at the beginning of a disk, or its copy at the end if that one is damaged. <see cref="PartitionTable"/> draws the layout.
/// </summary>
internal static class GptReader
{
    private const int SectorSize = PartitionTable.SectorSize;
    private const int SmallestHeader = 92;
    private const int SmallestEntry = 128;
    private const int LargestEntry = 4096;
    private const int MostEntries = 1024;
    private const int LargeSectorSize = 4096;

    private static ReadOnlySpan<byte> Signature => "EFI PART"u8;

    /// <summary>The partitions' numbers, first sectors and counts of sectors; false, with the reason, if both tables are damaged.</summary>
    internal static bool TryRead(
        Stream disk, [NotNullWhen(true)] out List<(int Number, long First, long Count)>? partitions, [NotNullWhen(false)] out string? error)
    {
        error = null;
        long last = (disk.Length / SectorSize) - 1;
        if (TryReadAt(disk, 1, out partitions) || TryReadAt(disk, last, out partitions))
        {
            return true;
        }

        error = HasSignature(disk, LargeSectorSize) ? $"its GPT is for sectors of {LargeSectorSize} bytes, and only {SectorSize} are supported"
            : HasSignature(disk, SectorSize) || HasSignature(disk, last * SectorSize)
                ? "its GPT is damaged, and so is the copy at its end; `sgdisk --verify` tells more"
            : "its MBR says that there is a GPT, and there is none";
        return false;
    }

    private static bool TryReadAt(Stream disk, long sector, [NotNullWhen(true)] out List<(int Number, long First, long Count)>? partitions)
    {
        partitions = null;
        byte[] header = new byte[SectorSize];
        if (!PartitionTable.TryReadSectors(disk, sector, header) || !IsWhole(header, sector))
        {
            return false;
        }

        long start = BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(72));
        int count = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(80));
        int size = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(84));
        if (size is < SmallestEntry or > LargestEntry || count is < 0 or > MostEntries || start < 2)
        {
            return false;
        }

        byte[] entries = new byte[size * count];
        if (!PartitionTable.TryReadSectors(disk, start, entries)
            || Crc32.HashToUInt32(entries) != BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(88)))
        {
            return false;
        }

        partitions = [];
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> entry = entries.AsSpan(i * size, size);
            if (entry[..16].ContainsAnyExcept((byte)0))
            {
                long first = BinaryPrimitives.ReadInt64LittleEndian(entry[32..]);
                partitions.Add((i + 1, first, BinaryPrimitives.ReadInt64LittleEndian(entry[40..]) - first + 1));
            }
        }

        return true;
    }

    /// <summary>Whether a header is one, is for this sector, and agrees with its checksum. The checksum is computed with zero in its place.</summary>
    private static bool IsWhole(byte[] header, long sector)
    {
        int size = BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(12));
        if (!header.AsSpan().StartsWith(Signature)
            || size is < SmallestHeader or > SectorSize
            || BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(24)) != sector)
        {
            return false;
        }

        uint sum = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(16));
        header.AsSpan(16, 4).Clear();
        return Crc32.HashToUInt32(header.AsSpan(0, size)) == sum;
    }

    private static bool HasSignature(Stream disk, long offset)
    {
        byte[] bytes = new byte[Signature.Length];
        disk.Position = Math.Max(offset, 0);
        return disk.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) == bytes.Length && bytes.AsSpan().SequenceEqual(Signature);
    }
}
