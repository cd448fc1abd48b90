using System.Text;
using HackTree.Boot;
using HackTree.Tests.Crash;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Boot;

/// <summary>
/// A root that is an image, in a store with fs-verity, on the kernel of Debian 13 (Linux 6.12), which can require that content is what the image says. The
/// store is filled by that kernel too, because that of the host may lack fs-verity.
/// </summary>
[Collection(BootCollection.Name)]
public sealed class VerityRootBootTests : IDisposable
{
    private const string CheckUnit =
        """
        [Service]
        ExecStart=/bin/sh /sysroot/check.sh
        [Install]
        WantedBy=multi-user.target
        """;

    private const string Fill =
        """
        #!/bin/sh
        mkdir -p /proc /sys /dev /a
        mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
        exec > /dev/ttyS1 2>&1
        modprobe virtio_pci; modprobe virtio_blk; modprobe ext4
        mount -t ext4 /dev/vda /a
        export HACKTREE_STORE=/a/objects
        h=/a/tree/usr/bin/hacktree
        $h init -q --verity require && $h commit -q -b os /a/tree && $h checkout -q --boot os /a/r0 && $h checkout -q --boot --composefs os /a/r1 \
            && $h fsck -q && done=yes
        umount /a; echo; echo "CHECK done=$done"
        echo o > /proc/sysrq-trigger; sleep 60
        """;

    private const string Check = Qemu.ScriptHead +
        """
        try() { n=$1; shift; o=$("$@" 2>&1); say $n "$? $o"; }
        write() { echo x >> $1; }
        say state "$(systemctl is-system-running --wait)"
        say root "$(findmnt -n -o SOURCE /)"
        try new touch /usr/new
        try write write /usr/bin/hacktree
        try remount mount -o remount,rw /
        try object write $(echo /sysroot/objects/files/*/*.0755.* | cut -d ' ' -f 1)
        try damaged sh -c 'cat /usr/share/damaged > /dev/null'
        say said "$(dmesg | grep -o 'hacktree: .*')"
        image=/sysroot/r1/hacktree.erofs
        if grep -q replace /proc/cmdline; then cp $image /sysroot/other && mv /sysroot/other $image; say replaced $?; fi
        say end reached
        systemctl poweroff
        """;

    private readonly LoopFilesystem disk = new("ext4", 5000, "-O", "verity", "-b", "4096");

    public void Dispose() => disk.Dispose();

    [Fact(Explicit = true)]
    public void Nothing_changes_it_and_other_content_is_an_error()
    {
        Qemu.Require();
        Hacktree.Require();
        string debian = Tools.Run(Path.Combine(Repository.Root, ".setup", "boot-root"), "trixie").Succeeded().Trim();
        string kernel = Directory.GetFiles(Path.Combine(debian, "boot"), "vmlinuz-*").Single();
        string own = Path.Combine(debian, "boot", Path.GetFileName(kernel).Replace("vmlinuz", "initrd.img", StringComparison.Ordinal));
        string place = Path.GetDirectoryName(disk.Image)!, fill = Path.Combine(place, "fill"), initrd = Path.Combine(place, "initrd");
        byte[] debians = File.ReadAllBytes(own);
        File.WriteAllBytes(fill, [.. debians, .. new byte[-debians.Length & 3], .. CpioTests.Write(writer =>
            writer.Write("fill"u8, new CpioHeader { Mode = 0x81ED, LinkCount = 1 }, Encoding.ASCII.GetBytes(Fill)))]);
        Hacktree.Run("initrd", "patch", own, initrd).Succeeded();
        CopyTree(debian);
        Assert.Equal("yes", Boot("verity-fill", kernel, fill, "rdinit=/fill")["done"]);

        BootResult good = Boot("verity-good", kernel, initrd, "root=/dev/vda subroot=r1 subroot.verity");
        Assert.Equal(("running", "hacktree:/r1"), (good["state"], good["root"]));
        foreach (string refused in (string[])["new", "write", "remount", "object"])
        {
            Assert.Matches("^[1-9]", good[refused]);
        }

        Assert.Contains("Operation not permitted", good["object"], StringComparison.Ordinal);
        Assert.Equal("0 ", good["damaged"]);

        // A block of a file changes on the disk.
        string block = Tools.Run("debugfs", "-R", "bmap /r0/usr/share/damaged 3", disk.Image).Succeeded().Trim();
        Tools.Run("dd", "if=/dev/zero", $"of={disk.Image}", "bs=4096", $"seek={block}", "count=1", "conv=notrunc").Succeeded();
        BootResult flipped = Boot("verity-flipped", kernel, initrd, "root=/dev/vda subroot=r1 subroot.verity replace");
        Assert.Matches("^[1-9].*Input/output error", flipped["damaged"]);

        // An image that the kernel does not measure is none.
        Assert.Equal("0", flipped["replaced"]);
        BootResult other = Boot("verity-other", kernel, initrd, "root=/dev/vda subroot=r1 subroot.verity");
        Assert.Contains("the image of /r1 cannot be mounted (error 61); booting r0 instead", other["said"], StringComparison.Ordinal);
        Assert.StartsWith("/dev/vda[/r0]", other["root"], StringComparison.Ordinal);
    }

    private void CopyTree(string debian)
    {
        Tools.Run("cp", "-a", debian, disk.At("tree")).Succeeded();
        File.Copy(Hacktree.Path, disk.At("tree/usr/bin/hacktree"), overwrite: true);
        byte[] content = new byte[300_000];
        new Random(19).NextBytes(content);
        File.WriteAllBytes(disk.At("tree/usr/share/damaged"), content);
        File.WriteAllText(disk.At("tree/etc/systemd/system/check.service"), CheckUnit);
        Directory.CreateDirectory(disk.At("tree/etc/systemd/system/multi-user.target.wants"));
        Tools.Run("ln", "-sf", "../check.service", disk.At("tree/etc/systemd/system/multi-user.target.wants/check.service")).Succeeded();
        File.WriteAllText(disk.At("check.sh"), Check);
        disk.Unmount();
    }

    private BootResult Boot(string name, string kernel, string initrd, string options) => Qemu.Run(
        name,
        "-drive", $"file={disk.Image},if=virtio,format=raw,cache=unsafe", "-kernel", kernel, "-initrd", initrd,
        "-append", $"console=ttyS0 panic=-1 no_timer_check {options}");
}
