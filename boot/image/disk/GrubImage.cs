using HackTree.Store;

namespace HackTree.Boot;

/// <summary>GRUB for BIOS, put into a disk without mounting it: boot code in sector 0, the rest in the sectors up to the first partition.</summary>
internal static class GrubImage
{
    private const string Folder = "/usr/lib/grub/i386-pc";

    // All that the configuration uses: nothing is loaded from the disk but the kernel.
    private static readonly string[] Modules =
    [
        "biosdisk", "part_msdos", "ext2", "normal", "configfile", "linux", "serial", "terminal", "echo", "ls", "cat", "test", "sleep",
        "search", "search_fs_uuid", "loadenv", "minicmd", "halt", "reboot", "smbios", "regexp",
    ];

    /// <summary>The boot code for sector 0, and what follows it from sector 1 on. The configuration is /boot/grub/grub.cfg on partition 1.</summary>
    internal static (byte[] BootCode, byte[] Core) Make(string scratch)
    {
        string bootImage = Path.Combine(Folder, "boot.img");
        if (!File.Exists(bootImage))
        {
            throw new StoreException($"{bootImage} is not there; install the package grub-pc-bin (apt install grub-pc-bin), or make an image for UEFI with --uefi");
        }

        // The blocks where the core looks for its own rest are those right behind its first, as grub-mkimage leaves them.
        string core = Path.Combine(scratch, "core.img");
        Tool.GrubImage.Run(["-O", "i386-pc", "-d", Folder, "-p", "(hd0,msdos1)/boot/grub", "-o", core, .. Modules]);
        byte[] bytes = File.ReadAllBytes(core);
        File.Delete(core);
        return bytes.Length <= ImageLayout.FirstPartition - PartitionTable.SectorSize
            ? (File.ReadAllBytes(bootImage)[..PartitionTable.BootCodeSize], bytes)
            : throw new StoreException($"GRUB is {bytes.Length} bytes long here, which do not fit in front of the first partition; make an image for UEFI with --uefi");
    }
}
