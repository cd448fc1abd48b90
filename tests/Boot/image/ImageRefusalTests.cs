using HackTree.Boot;
using HackTree.Linux;
using HackTree.Store;
using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>Disks and files that hacktree cannot use. Each is refused with its own name and the right reason.</summary>
public sealed class ImageRefusalTests : IDisposable
{
    private const long MiB = 1024 * 1024;

    private readonly ImageWorld world = new();

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData("vmdk", "VMware")]
    [InlineData("vdi", "VirtualBox")]
    [InlineData("vhdx", "Hyper-V")]
    [InlineData("vpc", "Virtual PC")]
    [InlineData("vpc,subformat=fixed", "Virtual PC")]
    [InlineData("vmdk,subformat=monolithicFlat", "VMware")]
    [InlineData("qcow", "first format")]
    [InlineData("qed", "QED")]
    [InlineData("parallels", "Parallels")]
    public void Other_formats_of_qemu_are_named_with_the_command_that_converts_them(string format, string name)
    {
        Tools.Require("qemu-img");
        string raw = world.At("raw.img"), other = world.At("stock");
        File.WriteAllBytes(raw, new byte[MiB]);
        string[] words = format.Split(',');
        Tools.Run("qemu-img", ["convert", "-f", "raw", "-O", words[0], .. words.Skip(1).SelectMany(option => new[] { "-o", option }), raw, other]).Succeeded();
        string said = Assert.Throws<StoreException>(() => DiskFormats.OfContent(other)).Message;
        Assert.Contains(name, said, StringComparison.Ordinal);
        Assert.Contains($"qemu-img convert -f {words[0]} -O qcow2 {other} ", said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gzip -c raw > it", "gzip -d")]
    [InlineData("xz -0 -c raw > it", "xz -d")]
    [InlineData("tar -cf it raw", "tar -xf")]
    [InlineData("printf 'LUKS\\272\\276' > it; cat raw >> it", "driver=luks,file.filename=")]
    public void What_must_be_unpacked_first_is_told(string make, string advice)
    {
        File.WriteAllBytes(world.At("raw"), new byte[MiB]);
        Tools.Run("sh", "-c", $"cd {world.At("")} && {make}").Succeeded();
        Assert.Contains(advice, Assert.Throws<StoreException>(() => DiskFormats.OfContent(world.At("it"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Raw_and_qcow2_of_both_versions_are_taken()
    {
        Tools.Require("qemu-img");
        File.WriteAllBytes(world.At("raw"), new byte[MiB]);
        Assert.Equal(DiskFormat.Raw, DiskFormats.OfContent(world.At("raw")));
        foreach (string compatible in new[] { "0.10", "1.1" })
        {
            Tools.Run("qemu-img", "convert", "-O", "qcow2", "-o", $"compat={compatible}", world.At("raw"), world.At("it")).Succeeded();
            Assert.Equal(DiskFormat.Qcow2, DiskFormats.OfContent(world.At("it")));
        }
    }

    [Theory]
    [InlineData("mkfs.xfs -q -f p", 320, "XFS")]
    [InlineData("mkfs.btrfs -q -f p", 128, "btrfs")]
    [InlineData("mkswap -q p", 8, "swap")]
    [InlineData("mkfs.vfat -F 32 p", 64, "FAT")]
    [InlineData("mkfs.vfat -F 16 p", 16, "FAT")]
    [InlineData("mkfs.ext4 -q p", 8, "ext4")]
    [InlineData("printf 'LUKS\\272\\276' | dd of=p conv=notrunc status=none", 8, "encrypted data (LUKS)")]
    [InlineData("printf LABELONE | dd of=p bs=512 seek=1 conv=notrunc status=none", 8, "LVM")]
    [InlineData("mkfs.ext4 -q p && printf '\\374\\116\\053\\251' | dd of=p bs=4096 seek=1 conv=notrunc status=none", 8, "a part of a RAID (md)")]
    [InlineData("mkfs.ext4 -q p && printf '\\374\\116\\053\\251' | dd of=p bs=512 seek=16368 conv=notrunc status=none", 8, "a part of a RAID (md)")]
    [InlineData("mkfs.ext4 -q p && printf '\\374\\116\\053\\251' | dd of=p bs=65536 seek=127 conv=notrunc status=none", 8, "a part of a RAID (md)")]
    [InlineData("true", 8, null)]
    public void What_a_partition_holds_is_named(string make, int mebibytes, string? name)
    {
        Tools.Require(make.Split(' ')[0]);
        using (FileStream file = File.Create(world.At("p")))
        {
            file.SetLength(mebibytes * MiB);
        }

        Tools.Run("sh", "-c", $"cd {world.At("")} && PATH=$PATH:/sbin:/usr/sbin; {make}").Succeeded();
        using FileStream disk = File.OpenRead(world.At("p"));
        Assert.Equal(name, PartitionContent.Find(disk, new Partition(1, 0, disk.Length)));
    }

    [Fact]
    public void A_system_on_another_filesystem_and_a_partition_that_does_not_mount_are_told_apart_from_a_good_one()
    {
        ImageWorld.Require();
        Tools.Require("sfdisk", "mkfs.xfs");
        Assert.SkipUnless(Sys.IsRoot, "only root can mount what is in an image");
        string disk = world.At("disk.img"), tree = world.MakeSmallTree();
        File.WriteAllText(Path.Combine(tree, "boot/grub/grub.cfg"), StockDisk.GrubConfig("6.1.0-10-test"));
        string script = $$"""
            set -e; cd {{world.At("")}}; truncate -s 20M b x; truncate -s 64M r; truncate -s 310M xfs; mkfs.ext4 -q -d {{tree}}/boot b; mkfs.ext4 -q -d {{tree}} r; mkfs.xfs -q xfs
            cp b bad; for at in 2048 4096; do dd if=/dev/zero of=bad bs=1 seek=$at count=4096 conv=notrunc status=none; done
            table() { truncate -s 400M $1; printf 'label: gpt\nstart=1MiB,size=20MiB\nstart=21MiB,size=310MiB\n' | sfdisk -q $1; }
            put() { dd if=$1 of=$2 bs=1M seek=$3 conv=notrunc status=none; }
            table {{disk}}; put bad {{disk}} 1; put r {{disk}} 21
            table elsewhere.img; put b elsewhere.img 1; put xfs elsewhere.img 21
            table none.img; put xfs none.img 21
            table broken.img; put bad broken.img 1; put b broken.img 21
            """;
        Tools.Run("bash", "-c", script).Succeeded();
        Assert.Contains("partition 1 holds no system, and partition 2 holds XFS", Refusal("elsewhere.img"), StringComparison.Ordinal);
        Assert.Contains("it has no ext4 filesystem: partition 2 holds XFS", Refusal("none.img"), StringComparison.Ordinal);
        string broken = Refusal("broken.img");
        Assert.Contains("partition 1 cannot be mounted (", broken, StringComparison.Ordinal);
        Assert.Contains("partition 2 holds no system", broken, StringComparison.Ordinal);
        ImageWorld.Image("convert", disk).Succeeded();
        ImageWorld.Image("edit", disk, "--", "stat", "r0/etc/debian_version").Succeeded();
    }

    [Fact]
    public void An_immutable_file_is_told_before_anything_moved()
    {
        ImageWorld.Require();
        Assert.SkipUnless(Sys.IsRoot, "only root can mount what is in an image");
        string stock = world.At("small.img");
        StockDisk.Make(stock, world.MakeSmallTree(), "6.1.0-10-test", 64 * MiB, world.At(""));
        foreach ((string path, string flag) in new[] { ("swapfile", "i"), ("etc", "i"), ("boot/grub/custom.cfg", "a"), ("var/lib/dpkg", "i") })
        {
            ImageWorld.Image("edit", stock, "--", "sh", "-c", $"[ -e {path} ] || echo x > {path}; chattr +{flag} {path}").Succeeded();
            string before = StockDisk.Listing(stock);
            string said = Hacktree.Refused(ImageWorld.Image("convert", stock));
            Assert.Contains($"/{path} is immutable or append-only", said, StringComparison.Ordinal);
            Assert.Contains($"chattr -ia {path}`", said, StringComparison.Ordinal);
            Assert.Equal(before, StockDisk.Listing(stock));
            ImageWorld.Image("edit", stock, "--", "chattr", "-ia", path).Succeeded();
        }

        ImageWorld.Image("convert", stock).Succeeded();

        // On the way back too, what to do is told.
        ImageWorld.Image("edit", stock, "--", "chattr", "+i", "r0/swapfile").Succeeded();
        Assert.Contains("chattr -ia", Hacktree.Refused(ImageWorld.Image("convert", "--undo", stock)), StringComparison.Ordinal);
        ImageWorld.Image("edit", stock, "--", "chattr", "-i", "r0/swapfile").Succeeded();
        ImageWorld.Image("convert", "--undo", stock).Succeeded();
    }

    [Fact]
    public void An_image_is_in_use_by_whatever_name_a_loop_device_knows_it()
    {
        ImageWorld.Require();
        Assert.SkipUnless(Sys.IsRoot, "only root can attach loop devices");
        string image = world.At("disk.img");
        File.WriteAllBytes(image, new byte[MiB]);
        Tools.Run("ln", image, world.At("other.img")).Succeeded();
        string device = Tools.Run("losetup", "--find", "--show", world.At("other.img")).Succeeded().Trim();
        try
        {
            Assert.Contains($"attached to {device}", Hacktree.Refused(ImageWorld.Image("edit", image)), StringComparison.Ordinal);
        }
        finally
        {
            Tools.Run("losetup", "-d", device);
        }
    }

    [Fact]
    public void A_disk_that_no_BIOS_can_boot_is_refused_before_keys_are_told()
    {
        Tools.Require("qemu-system-x86_64");
        string image = world.At("disk.img");
        File.WriteAllBytes(image, new byte[MiB]);
        Assert.Contains("its first sector has no boot code", Hacktree.Refused(ImageWorld.Image("run", image)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_machine_that_starts_again_goes_on_unless_it_was_forbidden()
    {
        var request = new QemuRequest { Image = "disk.img" };
        Assert.DoesNotContain("-no-reboot", QemuMachine.Arguments(request, DiskFormat.Raw, hasKvm: false));
        Assert.Contains("-no-reboot", QemuMachine.Arguments(request with { NoReboot = true }, DiskFormat.Raw, hasKvm: false));
    }

    private string Refusal(string image)
    {
        string said = Hacktree.Refused(ImageWorld.Image("convert", world.At(image)));
        Assert.Contains(world.At(image), said, StringComparison.Ordinal);
        Assert.DoesNotContain("/hacktree-image-", said, StringComparison.Ordinal);
        Assert.DoesNotContain("/proc/", said, StringComparison.Ordinal);
        return said;
    }
}
