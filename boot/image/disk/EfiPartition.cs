using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// Makes an EFI system partition with systemd-boot, the kernel, the initrd and an entry for each root. FAT has no links, so these
/// are copies.
/// </summary>
internal static class EfiPartition
{
    /// <summary>The label of the partition's filesystem.</summary>
    internal const string Label = "ESP";

    /// <summary>The partition in an fstab, by its label.</summary>
    internal const string LabelSource = "LABEL=" + Label;

    /// <summary>The mount point of the partition in a root.</summary>
    internal const string MountPoint = "/boot/efi";

    private const string Loader = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";
    private const long Smallest = 64 * ImageLayout.MiB;

    /// <summary>The length that a partition needs for a kernel and an initrd, and for those of an upgrade beside them.</summary>
    internal static long LengthFor(string boot, BootMenu menu)
    {
        long files = new FileInfo(Path.Combine(boot, menu.Kernel)).Length + new FileInfo(Path.Combine(boot, menu.Initrd)).Length;
        long wanted = (3 * files) + (16 * ImageLayout.MiB);
        return Math.Max(Smallest, (wanted + ImageLayout.MiB - 1) / ImageLayout.MiB * ImageLayout.MiB);
    }

    /// <summary>The partition in an fstab, by its serial number.</summary>
    internal static string SourceOf(uint serial) => $"UUID={serial >> 16:X4}-{serial & ushort.MaxValue:X4}";

    /// <summary>Makes the partition in a disk.</summary>
    internal static void Make(string disk, Partition partition, uint serial, string boot, BootMenu menu, string scratch)
    {
        if (!File.Exists(Loader))
        {
            throw new StoreException(
                $"{Loader} is not there; install the package systemd-boot-efi (apt install systemd-boot-efi), "
                + "or leave --uefi out for an image that boots by BIOS");
        }

        // The files are gathered in a directory first, because mcopy copies a directory with everything below it.
        string staging = Path.Combine(scratch, "efi");
        Write(staging, "EFI/BOOT/BOOTX64.EFI", Loader);
        Write(staging, "EFI/systemd/systemd-bootx64.efi", Loader);
        menu.WriteLoaderFiles(staging, boot);

        // The filesystem is made in a separate file, because mtools cannot read a FAT that begins inside a large file.
        string file = Path.Combine(scratch, "esp");
        using (FileStream image = File.Create(file))
        {
            image.SetLength(partition.Length);
        }

        Tool.MakeFat.Run("-F", "32", "-n", Label, "-i", $"{serial:X8}", file);
        Tool.CopyToFat.Run(["-i", file, "-s", .. Directory.EnumerateFileSystemEntries(staging), "::/"]);
        CopyData(file, disk, partition.Offset);
        File.Delete(file);
        Directory.Delete(staging, recursive: true);
    }

    /// <summary>Copies everything except zeros. The disk is new and has holes there.</summary>
    private static void CopyData(string file, string disk, long offset)
    {
        using FileStream source = File.OpenRead(file);
        using FileStream target = File.OpenWrite(disk);
        byte[] piece = new byte[ImageLayout.MiB];
        int count;
        for (long at = offset; (count = source.ReadAtLeast(piece, piece.Length, throwOnEndOfStream: false)) > 0; at += count)
        {
            if (piece.AsSpan(0, count).ContainsAnyExcept((byte)0))
            {
                target.Position = at;
                target.Write(piece, 0, count);
            }
        }
    }

    private static void Write(string staging, string path, string source)
    {
        string place = Path.Combine(staging, path);
        Directory.CreateDirectory(Path.GetDirectoryName(place)!);
        File.Copy(source, place);
    }
}
