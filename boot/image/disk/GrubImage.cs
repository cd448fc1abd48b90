using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// Makes GRUB for BIOS, to be put into a disk without mounting it: boot code in sector 0, the rest in the sectors before the first partition.
/// </summary>
internal static class GrubImage
{
    private const string Folder = "/usr/lib/grub/i386-pc";

    // All modules that the configuration uses. GRUB loads only the kernel and the initrd from the disk.
    private static readonly string[] Modules =
    [
        "biosdisk", "part_msdos", "ext2", "normal", "configfile", "linux", "serial", "terminal", "echo", "ls", "cat", "test", "sleep",
        "search", "search_fs_uuid", "loadenv", "minicmd", "halt", "reboot", "smbios", "regexp",
    ];

    /// <summary>
    /// The boot code for sector 0, and the core image that follows it from sector 1 on. The configuration is /boot/grub/grub.cfg on partition 1.
    /// </summary>
    internal static (byte[] BootCode, byte[] Core) Make(string scratch)
    {
        string bootImage = Path.Combine(Folder, "boot.img");
        if (!File.Exists(bootImage))
        {
            throw new StoreException(
                $"{bootImage} is not there; install the package grub-pc-bin (apt install grub-pc-bin), or make an image for UEFI with --uefi");
        }

        // grub-mkimage leaves the core's list of blocks as it is here: the rest of the core lies right behind its first block.
        string core = Path.Combine(scratch, "core.img");
        Tool.GrubImage.Run(["-O", "i386-pc", "-d", Folder, "-p", "(hd0,msdos1)/boot/grub", "-o", core, .. Modules]);
        byte[] bytes = File.ReadAllBytes(core);
        File.Delete(core);
        return bytes.Length <= ImageLayout.FirstPartition - PartitionTable.SectorSize
            ? (File.ReadAllBytes(bootImage)[..PartitionTable.BootCodeSize], bytes)
            : throw new StoreException(
                $"GRUB is {bytes.Length} bytes long here, which do not fit in front of the first partition; make an image for UEFI with --uefi");
    }
}
