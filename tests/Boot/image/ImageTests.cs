using HackTree.Tests.Crash;

namespace HackTree.Tests.Boot;

/// <summary>Boots disks that `hacktree image create` makes, by their own boot loaders.</summary>
[Collection(BootCollection.Name)]
public sealed class ImageTests : IDisposable
{
    private readonly ImageWorld world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public void A_disk_with_two_roots_boots_by_GRUB_the_default_and_the_one_that_was_chosen()
    {
        ImageWorld.Require();
        string disk = world.At("disk.img");
        ImageWorld.Image("create", "--tree", world.MakeTree(), "-o", disk, "--roots", "r0,r1", "--default", "r1", "--size", "2G", "--menu", "1").Succeeded();
        BootResult first = Qemu.Run("image-grub", "-drive", $"file={disk},if=virtio,format=raw,cache=unsafe");
        RequireHardlinkedRoot(first, "/dev/vda1", "r1");
        Assert.Equal("bios", first["firmware"]);

        // The store inside is undamaged, and its root records have the right inodes.
        string script = "stat -c '%n %i' r0 r1; grep -h inode objects/roots/*.json; $H --store objects fsck -q; echo fsck $?; ls var/lib/dpkg | wc -l; stat -c %h r1/usr/bin/dpkg";
        string[] facts = ImageWorld.Image("edit", disk, "--", "env", $"H={Hacktree.Path}", "sh", "-c", script).Succeeded().Split('\n');
        Assert.Equal(facts[0].Split(' ')[1], string.Concat(facts[2].Where(char.IsAsciiDigit)));
        Assert.Equal(facts[1].Split(' ')[1], string.Concat(facts[3].Where(char.IsAsciiDigit)));
        Assert.Equal(["fsck 0", "0", "3"], facts[4..7]);

        // Later additions need no new configuration: a root, kernels, options. GRUB must take the newest kernel that has an initrd and of which the root
        // has the modules. The other ones cannot boot.
        const string later =
            """
            $H --store objects checkout -q --boot debian/bookworm r2
            for v in 6.1.0-9-cloud-amd64 6.0.999 99; do echo no > boot/vmlinuz-$v; echo no > boot/initrd.img-$v; done; echo no > boot/vmlinuz-7
            V=$(basename r2/boot/vmlinuz-*); V=${V#vmlinuz-}; mkdir r2/usr/lib/modules/6.1.0-999-own
            for f in vmlinuz initrd.img; do mv r2/boot/$f-$V r2/boot/$f-6.1.0-999-own; done; mkdir r2/usr/lib/modules/7
            $H --store objects kargs r2 --append own=option
            """;
        ImageWorld.Image("edit", disk, "--", "env", $"H={Hacktree.Path}", "sh", "-ec", later).Succeeded();
        BootResult second = ImageWorld.Run("image-grub-chosen", disk, "--subroot", "r2", "--append", "chosen=here");
        RequireHardlinkedRoot(second, "/dev/vda1", "r2");
        Assert.Matches(@"^BOOT_IMAGE=/r2/boot/vmlinuz-6\.1\.0-999-own root=UUID=\S+ ro console=tty0 console=ttyS0,115200 own=option subroot=r2 chosen=here$", second["commandline"]);
        string menu = second.Log[..second.Log.IndexOf("Linux version", StringComparison.Ordinal)];
        Assert.All([" r0   ", " r1   ", "*r2   "], entry => Assert.Contains(entry, menu, StringComparison.Ordinal));
        Assert.DoesNotContain("error:", menu, StringComparison.Ordinal);

        // What grub-reboot writes boots once.
        const string next = "{ printf '# GRUB Environment Block\\nnext_entry=r0\\n'; printf '%1024s' '' | tr ' ' '#'; } | head -c 1024 > boot/grub/grubenv";
        ImageWorld.Image("edit", disk, "--", "sh", "-c", next).Succeeded();
        BootResult third = ImageWorld.Run("image-grub-next", disk);
        RequireHardlinkedRoot(third, "/dev/vda1", "r0");
        Assert.Equal("1024 next_entry=\n", ImageWorld.Image("edit", disk, "--", "sh", "-c", "stat -c %s boot/grub/grubenv | tr '\\n' ' '; grep -a next_entry boot/grub/grubenv").Succeeded());
    }

    [Fact]
    public void What_the_roots_fstab_mounts_is_not_hidden_by_what_roots_share()
    {
        ImageWorld.Require();
        string disk = world.At("disk.img"), tree = world.MakeTree();
        string homes = world.MakeFilesystem("homes", []), variable = world.MakeFilesystem("variable", [Path.Combine(tree, "var")]);
        File.WriteAllText(Path.Combine(tree, "etc/fstab"), "LABEL=homes /home ext4 defaults 0 2\nLABEL=variable /var ext4 defaults 0 2\n");
        string said = ImageWorld.Image("create", "--tree", tree, "-o", disk, "--size", "2G", "--menu", "1").Error;
        Assert.Contains("/etc/fstab of the tree, lines 1, 2 (/home, /var)", said, StringComparison.Ordinal);
        BootResult boot = Qemu.Run("image-fstab", [.. ImageWorld.Drive(disk), .. ImageWorld.Drive(homes), .. ImageWorld.Drive(variable)]);
        RequireHardlinkedRoot(boot, "/dev/vda1", "r0");
        Assert.Equal(("/dev/vdb rw,relatime", "/dev/vdc rw,relatime"), (boot["/home"], boot["/var"]));

        // The package database is the root's all the same.
        Assert.Equal("/dev/vda1[/r0/var/lib/dpkg] ro,relatime", boot["/var/lib/dpkg"]);
    }

    [Fact]
    public void A_commit_becomes_a_qcow2_that_boots_by_UEFI()
    {
        ImageWorld.RequireUefi();
        string store = world.At("store"), disk = world.At("disk.qcow2");
        Hacktree.Run("init", "--store", store).Succeeded();
        string commit = Hacktree.Run("--store", store, "commit", "-b", "debian/test", world.MakeTree()).Succeeded().Trim();
        Hacktree.Run("--store", store, "image", "create", "--tree", "debian/test", "-o", disk, "--uefi", "--menu", "1").Succeeded();
        BootResult boot = ImageWorld.Run("image-uefi", disk, "--uefi");
        RequireHardlinkedRoot(boot, "/dev/vda2", "r0");
        Assert.Equal("uefi", boot["firmware"]);

        // The same commit, by the same name; only of qcow2 can a mount tell it.
        Assert.Equal(commit, ImageWorld.Image("edit", disk, "--", Hacktree.Path, "--store", "objects", "log", "-q", "--json", "debian/test").Succeeded().Split('"').First(word => word.Length == 64));
    }

    private static void RequireHardlinkedRoot(BootResult boot, string device, string root)
    {
        boot.RequireRunning();
        Assert.Equal($"{device}[/{root}] ro,relatime", boot["root"]);
        Assert.Contains("objects ", boot["sysroot"], StringComparison.Ordinal);
        Assert.Equal("systemd", boot["packages"]);
        Assert.Equal(("no", "yes", "yes"), (boot["/usr/written"], boot["/etc/written"], boot["/var/written"]));
        Assert.Equal(("yes", "yes"), (boot["/home/written"], boot["/boot/written"]));
        Assert.Contains($"/{root} is the root, read-only", boot["said"], StringComparison.Ordinal);
    }
}
