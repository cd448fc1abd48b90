namespace HackTree.Boot;

/// <summary>Tells what a partition holds, by the marks that filesystems and volumes have at fixed places.</summary>
internal static class PartitionContent
{
    private const string Raid = "a part of a RAID (md)";
    private const uint RaidMagic = 0xA92B4EFC;
    private const int Sector = PartitionTable.SectorSize;

    private static readonly (string Name, int Offset, byte[] Magic)[] Marks =
    [
        ("encrypted data (LUKS)", 0, [(byte)'L', (byte)'U', (byte)'K', (byte)'S', 0xBA, 0xBE]),
        ("XFS", 0, "XFSB"u8.ToArray()),
        ("btrfs", 0x10040, "_BHRfS_M"u8.ToArray()),
        ("LVM", 0, "LABELONE"u8.ToArray()),
        ("LVM", Sector, "LABELONE"u8.ToArray()),
        ("LVM", 2 * Sector, "LABELONE"u8.ToArray()),
        ("LVM", 3 * Sector, "LABELONE"u8.ToArray()),
        ("F2FS", 1024, [0x10, 0x20, 0xF5, 0xF2]),
        ("EROFS", 1024, [0xE2, 0xE1, 0xF5, 0xE0]),
        ("ReiserFS", 0x10034, "ReIsEr"u8.ToArray()),
        ("squashfs", 0, "hsqs"u8.ToArray()),
        ("NTFS", 3, "NTFS    "u8.ToArray()),
        ("FAT", 82, "FAT32"u8.ToArray()),
        ("FAT", 54, "FAT1"u8.ToArray()),
        ("swap", 4086, "SWAPSPACE2"u8.ToArray()),
    ];

    // Version 0.90 of md's metadata is in the last aligned 64 KiB of a partition, version 1.0 near its end, 1.1 at its start, and 1.2 behind 4 KiB.
    private static readonly Func<long, long>[] RaidPlaces =
        [length => (length & ~0xFFFFL) - 0x10000, length => ((length / Sector) - 16) / 8 * 8 * Sector, _ => 0, _ => 4096];

    /// <summary>The name of what a partition holds; null if it is not known.</summary>
    internal static string? Find(Stream disk, Partition partition)
    {
        // RAID comes first: a member of a mirror looks like the filesystem that it is a copy of.
        if (RaidPlaces.Any(place => HasMark(disk, partition, place(partition.Length), BitConverter.GetBytes(RaidMagic))))
        {
            return Raid;
        }

        return Marks.FirstOrDefault(mark => HasMark(disk, partition, mark.Offset, mark.Magic)).Name
            ?? (Ext4.UuidOf(disk, partition) is null ? null : Ext4.Name);
    }

    /// <summary>How a sentence names a partition.</summary>
    internal static string NameOf(Partition partition) => partition.Number == 0 ? "the disk" : $"partition {partition.Number}";

    private static bool HasMark(Stream disk, Partition partition, long offset, ReadOnlySpan<byte> mark)
    {
        if (offset < 0 || offset + mark.Length > partition.Length)
        {
            return false;
        }

        Span<byte> bytes = stackalloc byte[16];
        bytes = bytes[..mark.Length];
        disk.Position = partition.Offset + offset;
        return disk.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false) == bytes.Length && bytes.SequenceEqual(mark);
    }
}
