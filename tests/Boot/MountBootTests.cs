using System.Text;
using HackTree.Boot;
using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>
/// Mounted commits on an older kernel, Linux 6.1 of Debian 12. It mounts images from loop devices only, has no data-only layers, takes as a layer only
/// what is attached somewhere, and cannot require fs-verity.
/// </summary>
[Collection(BootCollection.Name)]
public sealed class MountBootTests : IDisposable
{
    private const string Script =
        """
        #!/bin/sh
        mkdir -p /proc /sys /dev /a /m /w
        mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
        exec > /dev/ttyS1 2>&1
        try() { n=$1; shift; o=$("$@" 2>&1); r=$?; set -- $o; echo; echo "CHECK $n=$r $*"; }
        write() { echo more >> $1; }
        modprobe virtio_pci; modprobe virtio_blk; modprobe ext4
        mount -t ext4 /dev/vda /a
        h=/a/hacktree
        export HACKTREE_STORE=/a/objects
        $h init -q --verity auto
        try commit $h commit -q -b a /a/tree
        try none $h mount a /m
        modprobe loop; modprobe libcrc32c; insmod /a/erofs.ko; insmod /a/overlay.ko
        try mount $h mount --json a /m
        try same $h commit -q -b a --skip-if-unchanged /m
        try frozen write $(echo /a/objects/images/*)
        try verity $h mount --verity a /w
        try rw $h mount -q --rw /a/changes a /w
        echo more >> /w/etc/small
        try written cat /a/changes/upper/etc/small
        try done $h umount /w
        $h refs delete a
        try kept $h gc
        try read cat /m/etc/small
        try over $h umount /m
        try again $h umount /m
        try gone $h gc
        umount /a
        echo; echo "CHECK end=reached"
        echo o > /proc/sysrq-trigger; sleep 60
        """;

    private const string Small = "a file of some length, which is more than sixty-four bytes, so it is an object";

    private readonly LoopFilesystem disk = new("ext4", 200, "-O", "verity", "-b", "4096");

    public void Dispose() => disk.Dispose();

    [Fact]
    public void A_loop_device_and_an_ordinary_layer_do_the_same()
    {
        Qemu.Require();
        Hacktree.Require();
        Fill();
        BootResult guest = Qemu.Run(
            "mount",
            "-drive", $"file={disk.Image},if=virtio,format=raw,cache=unsafe",
            "-kernel", BootRoot.Kernel, "-initrd", Initrd(), "-append", "console=ttyS0 rdinit=/check panic=-1 no_timer_check");
        Assert.Equal("reached", guest["end"]);
        Assert.Matches("^1 hacktree: this kernel has no EROFS", guest["none"]);
        Assert.Matches("^0 .*\"loop\": ?true", guest["mount"]);

        // Everything is as it was committed: names, metadata and content.
        Assert.StartsWith("0 ", guest["commit"], StringComparison.Ordinal);
        Assert.Equal(guest["commit"], guest["same"]);
        Assert.Matches("^[1-9].*(not permitted|Permission denied)", guest["frozen"]);
        Assert.Matches("^1 hacktree: .*cannot require fs-verity, which takes Linux 6.6", guest["verity"]);
        Assert.Equal("0 ", guest["rw"]);
        Assert.Equal($"0 {Small} more", guest["written"]);
        Assert.Equal("0 ", guest["done"]);

        // A mount through a loop device keeps the commit too.
        Assert.Matches("^0 .*removed 0 objects, 0 commits", guest["kept"]);
        Assert.Equal($"0 {Small}", guest["read"]);
        Assert.Equal("0 ", guest["over"]);
        Assert.Matches("^1 .*no commit is mounted there", guest["again"]);
        Assert.Matches("^0 .*removed [1-9][0-9]* objects, 1 commit", guest["gone"]);
    }

    private void Fill()
    {
        Directory.CreateDirectory(disk.At("tree/etc"));
        for (int i = 0; i < 300; i++)
        {
            File.WriteAllText(disk.At($"tree/file{i}"), new string('x', i));
        }

        File.WriteAllText(disk.At("tree/etc/small"), $"{Small}\n");
        Tools.Run("mknod", disk.At("tree/device"), "c", "1", "3").Succeeded();
        File.CreateSymbolicLink(disk.At("tree/link"), "etc/small");
        Tools.Run("setfattr", "-n", "user.note", "-v", "value", disk.At("tree/etc/small")).Succeeded();
        File.Copy(Hacktree.Path, disk.At("hacktree"));
        foreach (string module in (string[])["fs/erofs/erofs.ko", "fs/overlayfs/overlay.ko"])
        {
            string kernel = Assert.Single(Directory.GetDirectories(Path.Combine(BootRoot.Path, "lib/modules")));
            File.Copy(Path.Combine(kernel, "kernel", module), disk.At(Path.GetFileName(module)));
        }

        Tools.Run("sh", "-c", $"find {disk.Path} -exec touch -h -d '2024-05-06 07:08:09Z' {{}} +").Succeeded();
        disk.Unmount();
    }

    /// <summary>Debian's, and behind it an archive with the script.</summary>
    private string Initrd()
    {
        byte[] own = File.ReadAllBytes(BootRoot.Initrd);
        byte[] added = CpioTests.Write(writer => writer.Write("check"u8, new CpioHeader { Mode = 0x81ED, LinkCount = 1 }, Encoding.ASCII.GetBytes(Script)));
        string path = Path.Combine(Path.GetDirectoryName(disk.Image)!, "initrd");
        File.WriteAllBytes(path, [.. own, .. new byte[-own.Length & 3], .. added]);
        return path;
    }
}
