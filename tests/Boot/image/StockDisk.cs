using HackTree.Boot;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>
/// Makes the disk that an installer leaves: one partition, / on ext4, and GRUB. grub-install leaves a small core, and modules that are loaded
/// when they are needed. The configuration is as Debian's update-grub writes it.
/// </summary>
internal static class StockDisk
{
    private const string GrubModules = "/usr/lib/grub/i386-pc";

    private static readonly Guid Uuid = new("0a1b2c3d-0000-4000-8000-000000000001");

    public static void Make(string disk, string tree, string version, long size, string scratch)
    {
        Directory.CreateDirectory(Path.Combine(tree, "boot/grub"));
        Tools.Run("cp", "-r", GrubModules, Path.Combine(tree, "boot/grub/i386-pc")).Succeeded();
        string core = Path.Combine(scratch, "core.img");
        Tools.Run("grub-mkimage", "-O", "i386-pc", "-d", GrubModules, "-p", "(hd0,msdos1)/boot/grub", "-o", core, "biosdisk", "part_msdos", "ext2").Succeeded();
        File.WriteAllText(Path.Combine(tree, "boot/grub/grub.cfg"), GrubConfig(version));
        File.WriteAllText(Path.Combine(tree, "etc/fstab"), $"UUID={Uuid} / ext4 errors=remount-ro 0 1\n");
        Partition linux = ImageLayout.Linux(size);
        using (FileStream file = File.Create(disk))
        {
            file.SetLength(size);
            byte[] bootCode = File.ReadAllBytes(Path.Combine(GrubModules, "boot.img"))[..PartitionTable.BootCodeSize];
            file.Write(PartitionTable.Mbr(bootCode, 0x12345678, linux));
            file.Write(File.ReadAllBytes(core));
        }

        Ext4.Make(disk, linux, tree, Uuid);
    }

    public static string GrubConfig(string version) =>
        $$"""
        set default="0"
        serial --unit=0 --speed=115200
        terminal_output serial console
        set timeout=1
        menuentry 'Debian GNU/Linux' --class debian {
        	search --no-floppy --fs-uuid --set=root {{Uuid}}
        	linux	/boot/vmlinuz-{{version}} root=UUID={{Uuid}} ro console=ttyS0 quiet
        	initrd	/boot/initrd.img-{{version}}
        }
        submenu 'Advanced options' {
        	menuentry 'recovery' {
        		linux	/boot/vmlinuz-{{version}} root=UUID={{Uuid}} ro single
        		initrd	/boot/initrd.img-{{version}}
        	}
        }
        if [ -f  ${config_directory}/custom.cfg ]; then
          source ${config_directory}/custom.cfg
        elif [ -z "${config_directory}" -a -f  $prefix/custom.cfg ]; then
          source $prefix/custom.cfg
        fi

        """;

    /// <summary>All names in an image, with inode numbers. What a conversion moves keeps its inode.</summary>
    public static string Listing(string image) =>
        ImageWorld.Image("edit", image, "--", "sh", "-c", "find . -printf '%P %y %m %u %s %i %l\\n' | sort | grep -av lost+found").Succeeded();
}
