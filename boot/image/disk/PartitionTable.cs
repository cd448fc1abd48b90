using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.IO.Hashing;

namespace HackTree.Boot;

/// <summary>A range of bytes of a disk.</summary>
/// <param name="Number">The number that Linux and GRUB use, from 1; 0 for a whole disk without a table.</param>
/// <param name="Offset">The position of its first byte.</param>
/// <param name="Length">Its length in bytes.</param>
internal sealed record Partition(int Number, long Offset, long Length);

/// <summary>
/// Reads and writes partition tables of disks with sectors of 512 bytes: MBR, including the logical partitions of an extended one, and GPT.
/// The kernels of virtual machines often cannot read partition tables, so loop mounts use these offsets.
/// <code>
/// MBR, sector 0:      boot code 440 | disk id 4 | 0 2 | 4 entries of 16 | 55 AA
///   entry:            flag 1 | first CHS 3 | type 1 | last CHS 3 | first sector 4 | sectors 4
/// GPT, sector 1:      "EFI PART" | revision 4 | header size 4 | CRC 4 | 0 4 | this sector 8 | other header 8
///                     | first usable 8 | last usable 8 | disk id 16 | entries at 8 | count 4 | entry size 4 | entries' CRC 4
///   entry, 128 bytes: type 16 | id 16 | first sector 8 | last sector 8 | flags 8 | name, UTF-16, 72
/// </code>
/// </summary>
internal static class PartitionTable
{
    internal const int SectorSize = 512;

    /// <summary>The length of the boot code before an MBR's disk id.</summary>
    internal const int BootCodeSize = 440;

    /// <summary>
    /// The sectors that a GPT takes at each end of a disk: a header and 128 entries. At the beginning a protective MBR comes before them.
    /// </summary>
    internal const int GptEndSectors = 33;

    private const int EntriesOffset = 446;
    private const int EntrySize = 16;
    private const int GptEntrySize = 128;
    private const int GptEntryCount = 128;
    private const int GptHeaderSize = 92;
    private const int MostLogical = 60;
    private const byte Bootable = 0x80;
    private const byte TypeLinux = 0x83;
    private const byte TypeProtective = 0xEE;

    private static readonly byte[] ExtendedTypes = [0x05, 0x0F, 0x85];
    private static readonly Guid TypeEfiSystem = new("c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
    private static readonly Guid TypeLinuxRootX64 = new("4f68bce3-e8cd-4db1-96e7-fbcaf984b709");

    /// <summary>
    /// Reads the partitions of a disk; false, with the reason, if the table is damaged. A disk without a table counts as one partition, because
    /// a filesystem may begin right at its start.
    /// </summary>
    internal static bool TryRead(Stream disk, [NotNullWhen(true)] out List<Partition>? partitions, [NotNullWhen(false)] out string? error)
    {
        partitions = [];
        error = null;
        byte[] sector = new byte[SectorSize];
        if (!TryReadSectors(disk, 0, sector) || sector[510] != 0x55 || sector[511] != 0xAA || !IsMbr(sector))
        {
            partitions.Add(new Partition(0, 0, disk.Length));
            return true;
        }

        if (Enumerable.Range(0, 4).Any(i => Entry(sector, i)[4] == TypeProtective))
        {
            return TryReadGpt(disk, partitions, out error);
        }

        for (int i = 0; i < 4; i++)
        {
            ReadOnlySpan<byte> entry = Entry(sector, i);
            (long first, long count) = Extent(entry);
            if (entry[4] == 0 || count == 0)
            {
                continue;
            }

            if (ExtendedTypes.Contains(entry[4]))
            {
                ReadLogical(disk, first, partitions);
            }
            else if (!TryAdd(disk, partitions, i + 1, first, count, out error))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Sector 0 of a disk with one Linux partition. Its first <see cref="BootCodeSize"/> bytes are the boot code.</summary>
    internal static byte[] Mbr(ReadOnlySpan<byte> bootCode, uint diskId, Partition linux)
    {
        byte[] sector = new byte[SectorSize];
        bootCode[..Math.Min(bootCode.Length, BootCodeSize)].CopyTo(sector);
        BinaryPrimitives.WriteUInt32LittleEndian(sector.AsSpan(BootCodeSize), diskId);
        WriteMbrEntry(sector, Bootable, TypeLinux, linux.Offset / SectorSize, linux.Length / SectorSize);
        return sector;
    }

    /// <summary>
    /// The GPT of a disk of <paramref name="diskLength"/> bytes, for its beginning (34 sectors) and its end (33). The partitions are an EFI
    /// system partition and a Linux root.
    /// </summary>
    internal static (byte[] Beginning, byte[] End) Gpt(long diskLength, Partition efi, Partition linux)
    {
        long sectors = diskLength / SectorSize;
        byte[] entries = new byte[GptEntryCount * GptEntrySize];
        WriteGptEntry(entries, 0, TypeEfiSystem, efi, "EFI system");
        WriteGptEntry(entries, 1, TypeLinuxRootX64, linux, "hacktree");
        var diskId = Guid.NewGuid();

        byte[] beginning = new byte[(1 + GptEndSectors) * SectorSize];
        WriteMbrEntry(beginning, 0, TypeProtective, 1, Math.Min(sectors - 1, uint.MaxValue));
        WriteGptHeader(beginning.AsSpan(SectorSize), diskId, sectors, 1, sectors - 1, 2, entries);
        entries.CopyTo(beginning, 2 * SectorSize);

        byte[] end = new byte[GptEndSectors * SectorSize];
        entries.CopyTo(end, 0);
        WriteGptHeader(end.AsSpan(entries.Length), diskId, sectors, sectors - 1, 1, sectors - GptEndSectors, entries);
        return (beginning, end);
    }

    private static bool TryReadGpt(Stream disk, List<Partition> partitions, [NotNullWhen(false)] out string? error)
    {
        if (!GptReader.TryRead(disk, out List<(int Number, long First, long Count)>? found, out error))
        {
            return false;
        }

        foreach ((int number, long first, long count) in found)
        {
            if (!TryAdd(disk, partitions, number, first, count, out error))
            {
                return false;
            }
        }

        error = null;
        return true;
    }

    /// <summary>
    /// Whether a sector that ends in 55 AA holds a table. A filesystem's boot code ends so too, and has other bytes where the entries would be.
    /// </summary>
    private static bool IsMbr(byte[] sector)
    {
        bool hasEntry = false;
        for (int i = 0; i < 4; i++)
        {
            ReadOnlySpan<byte> entry = Entry(sector, i);
            (long first, long count) = Extent(entry);
            bool isUsed = entry[4] != 0 && count != 0;
            if (entry[0] is not (0 or Bootable) || (isUsed && first == 0))
            {
                return false;
            }

            hasEntry |= isUsed;
        }

        return hasEntry;
    }

    /// <summary>
    /// Reads logical partitions. Each has a table of its own with two entries: the partition, relative to this table, and the next table,
    /// relative to the first table.
    /// </summary>
    private static void ReadLogical(Stream disk, long extended, List<Partition> partitions)
    {
        byte[] sector = new byte[SectorSize];
        long table = extended;
        for (int number = 5; number < 5 + MostLogical && TryReadSectors(disk, table, sector) && sector[510] == 0x55 && sector[511] == 0xAA; number++)
        {
            (long first, long count) = Extent(Entry(sector, 0));
            if (count == 0 || !TryAdd(disk, partitions, number, table + first, count, out _))
            {
                return;
            }

            (long next, long more) = Extent(Entry(sector, 1));
            if (more == 0)
            {
                return;
            }

            table = extended + next;
        }
    }

    private static bool TryAdd(
        Stream disk, List<Partition> partitions, int number, long first, long count, [NotNullWhen(false)] out string? error)
    {
        long sectors = disk.Length / SectorSize;
        bool isInside = first > 0 && count > 0 && first < sectors && count <= sectors - first;
        error = isInside ? null : $"its partition {number} goes beyond its end; it may have been cut short";
        if (isInside)
        {
            partitions.Add(new Partition(number, first * SectorSize, count * SectorSize));
        }

        return isInside;
    }

    private static ReadOnlySpan<byte> Entry(byte[] sector, int index) => sector.AsSpan(EntriesOffset + (index * EntrySize), EntrySize);

    private static (long First, long Count) Extent(ReadOnlySpan<byte> entry) =>
        (BinaryPrimitives.ReadUInt32LittleEndian(entry[8..]), BinaryPrimitives.ReadUInt32LittleEndian(entry[12..]));

    /// <summary>Fills a buffer from a sector on; false if the disk ends before.</summary>
    internal static bool TryReadSectors(Stream disk, long sector, byte[] buffer)
    {
        if (sector < 0 || sector > disk.Length / SectorSize)
        {
            return false;
        }

        disk.Position = sector * SectorSize;
        return disk.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false) == buffer.Length;
    }

    private static void WriteMbrEntry(byte[] sector, byte flag, byte type, long first, long count)
    {
        Span<byte> entry = sector.AsSpan(EntriesOffset, EntrySize);
        entry[0] = flag;
        entry[4] = type;

        // Cylinder, head and sector: these values mean that the place is beyond their range.
        ReadOnlySpan<byte> beyond = [0xFE, 0xFF, 0xFF];
        beyond.CopyTo(entry[1..]);
        beyond.CopyTo(entry[5..]);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[8..], (uint)first);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[12..], (uint)count);
        sector[510] = 0x55;
        sector[511] = 0xAA;
    }

    private static void WriteGptEntry(byte[] entries, int index, Guid type, Partition partition, string name)
    {
        Span<byte> entry = entries.AsSpan(index * GptEntrySize, GptEntrySize);
        _ = type.TryWriteBytes(entry);
        _ = Guid.NewGuid().TryWriteBytes(entry[16..]);
        BinaryPrimitives.WriteInt64LittleEndian(entry[32..], partition.Offset / SectorSize);
        BinaryPrimitives.WriteInt64LittleEndian(entry[40..], ((partition.Offset + partition.Length) / SectorSize) - 1);
        System.Text.Encoding.Unicode.GetBytes(name, entry[56..]);
    }

    private static void WriteGptHeader(Span<byte> header, Guid diskId, long sectors, long here, long other, long entriesAt, byte[] entries)
    {
        "EFI PART"u8.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], 0x00010000);
        BinaryPrimitives.WriteInt32LittleEndian(header[12..], GptHeaderSize);
        BinaryPrimitives.WriteInt64LittleEndian(header[24..], here);
        BinaryPrimitives.WriteInt64LittleEndian(header[32..], other);
        BinaryPrimitives.WriteInt64LittleEndian(header[40..], 1 + GptEndSectors);
        BinaryPrimitives.WriteInt64LittleEndian(header[48..], sectors - GptEndSectors - 1);
        _ = diskId.TryWriteBytes(header[56..]);
        BinaryPrimitives.WriteInt64LittleEndian(header[72..], entriesAt);
        BinaryPrimitives.WriteInt32LittleEndian(header[80..], GptEntryCount);
        BinaryPrimitives.WriteInt32LittleEndian(header[84..], GptEntrySize);
        BinaryPrimitives.WriteUInt32LittleEndian(header[88..], Crc32.HashToUInt32(entries));
        BinaryPrimitives.WriteUInt32LittleEndian(header[16..], Crc32.HashToUInt32(header[..GptHeaderSize]));
    }
}
