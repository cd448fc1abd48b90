using HackTree.Store;

namespace HackTree.Boot;

/// <summary>An EFI system partition with systemd-boot, the kernel, the initrd and an entry for each root. FAT keeps no links: these are copies.</summary>
internal static class EfiPartition
{
    private const string Loader = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";
    private const long Smallest = 64 * ImageLayout.MiB;

    /// <summary>How large one must be for a kernel and initrd, and for those of an upgrade beside them.</summary>
    internal static long LengthFor(string boot, BootMenu menu)
    {
        long files = new FileInfo(Path.Combine(boot, menu.Kernel)).Length + new FileInfo(Path.Combine(boot, menu.Initrd)).Length;
        long wanted = (3 * files) + (16 * ImageLayout.MiB);
        return Math.Max(Smallest, (wanted + ImageLayout.MiB - 1) / ImageLayout.MiB * ImageLayout.MiB);
    }

    /// <summary>Makes one in a disk.</summary>
    internal static void Make(string disk, Partition partition, string boot, BootMenu menu, string scratch)
    {
        if (!File.Exists(Loader))
        {
            throw new StoreException($"{Loader} is not there; install the package systemd-boot-efi (apt install systemd-boot-efi), or leave --uefi out for an image that boots by BIOS");
        }

        // Gathered first: mcopy copies a folder with all that is below it.
        string staging = Path.Combine(scratch, "efi");
        Write(staging, "EFI/BOOT/BOOTX64.EFI", Loader);
        Write(staging, "EFI/systemd/systemd-bootx64.efi", Loader);
        Write(staging, menu.Kernel, Path.Combine(boot, menu.Kernel));
        Write(staging, menu.Initrd, Path.Combine(boot, menu.Initrd));
        foreach ((string path, string text) in menu.LoaderFiles())
        {
            File.WriteAllText(Place(staging, path), text);
        }

        const int kibibyte = 1024;
        Tool.MakeFat.Run("-F", "32", "-n", "ESP", $"--offset={partition.Offset / PartitionTable.SectorSize}", disk, $"{partition.Length / kibibyte}");
        Tool.CopyToFat.Run(["-i", $"{disk}@@{partition.Offset}", "-s", .. Directory.EnumerateFileSystemEntries(staging), "::/"]);
        Directory.Delete(staging, recursive: true);
    }

    private static void Write(string staging, string path, string source) => File.Copy(source, Place(staging, path));

    private static string Place(string staging, string path)
    {
        string place = Path.Combine(staging, path);
        Directory.CreateDirectory(Path.GetDirectoryName(place)!);
        return place;
    }
}
