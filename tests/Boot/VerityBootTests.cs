using System.Text;
using System.Text.RegularExpressions;
using HackTree.Boot;
using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>
/// A store whose objects have fs-verity, on a kernel that has it: Debian's, with the program as it is and an initrd as the whole system. On the disk
/// are ext4 and btrfs.
/// </summary>
[Collection(BootCollection.Name)]
public sealed partial class VerityBootTests : IDisposable
{
    // The shell of an initrd, which has no printf and no tr. "try NAME COMMAND" reports the exit code and all words of the output.
    private const string Script =
        """
        #!/bin/sh
        mkdir -p /proc /sys /dev /a /b /t
        mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
        exec > /dev/ttyS1 2>&1
        try() { n=$1; shift; o=$("$@" 2>&1); r=$?; set -- $o; echo; echo "CHECK $n=$r $*"; }
        cold() { sync; echo 3 > /proc/sys/vm/drop_caches; }
        write() { echo more >> $1; }
        modprobe virtio_pci; modprobe virtio_blk; modprobe btrfs
        mount -t ext4 /dev/vda /a; mount -t btrfs /dev/vdb /b; mount -t tmpfs none /t
        h=/a/hacktree
        try tmpfs $h init --verity require /t/objects

        export HACKTREE_STORE=/a/objects
        try init $h init --verity require
        try commit $h commit -q -b a /a/tree
        try checkout $h checkout -q a /a/r1
        $h fsck -q; try measured $h fsck
        try read $h fsck --read
        try write write /a/r1/etc/small
        try object write $(echo /a/objects/files/*/*.4755.*)
        try again $h commit -q -b again /a/r1
        try copy $h checkout -q --copy a /a/r2
        try copied write /a/r2/etc/small

        /a/chmod 666 /a/r1/etc/small; mv /a/objects/files/*/*.4755.* /a/lost
        try damaged $h fsck -q
        try repair $h fsck --repair
        try mended $h fsck

        try consume $h commit -q -b consumed --consume /a/consumed
        try frozen $h fsck
        try checkconsumed $h checkout -q consumed /a/r3
        cold; dd if=/zero of=/dev/vda bs=4096 count=1 seek=BLOCK conv=notrunc 2> /dev/null; cold
        try flipped cat /a/r3/adopted
        try unread $h fsck -q
        try found $h fsck -q --read

        export HACKTREE_STORE=/b/objects
        try binit $h init --verity auto
        try bcommit $h commit -q -b a /a/r2
        try bcheckout $h checkout -q a /b/r1
        try bwrite write /b/r1/etc/small
        try bmeasured $h fsck
        umount /b; umount /a
        echo; echo "CHECK end=reached"
        echo o > /proc/sysrq-trigger; sleep 60
        """;

    private const string Small = "a file of some length\n";
    private const int Files = 40;

    private readonly LoopFilesystem ext4 = new("ext4", 400, "-O", "verity", "-b", "4096");
    private readonly LoopFilesystem btrfs = new("btrfs", 200);

    public void Dispose()
    {
        ext4.Dispose();
        btrfs.Dispose();
    }

    [Fact]
    public void The_kernel_keeps_objects_as_they_are()
    {
        Qemu.Require();
        Hacktree.Require();
        Tools.Require("debugfs");
        Fill();
        string block = Tools.Run("debugfs", "-R", "bmap /consumed/adopted 0", ext4.Image).Succeeded().Trim();
        BootResult guest = Boot(Script.Replace("BLOCK", block, StringComparison.Ordinal));
        Assert.Equal("reached", guest["end"]);

        // It is refused where there is none, and leaves nothing.
        Assert.Matches("^1 hacktree: /t/objects: the store requires fs-verity, and this filesystem has none", guest["tmpfs"]);
        string all = $"all is well: {Files + 4} objects, .* \\({Files + 4} measured by fs-verity, not read\\)";
        foreach (string done in (string[])["init", "commit", "checkout", "again", "copy", "copied", "consume", "checkconsumed", "binit", "bcommit", "bcheckout"])
        {
            Assert.Matches("^0", guest[done]);
        }

        Assert.Matches($"^0 hacktree: {all}", guest["measured"]);
        Assert.Matches($"^0 hacktree: all is well: {Files + 4} objects, [^(]*$", guest["read"]);
        TestContext.Current.TestOutputHelper?.WriteLine($"fsck by measuring: {Seconds(guest["measured"])}, by reading: {Seconds(guest["read"])}");

        // Nobody writes to an object, by its own name or by a root's; what was copied can be written to.
        foreach (string refused in (string[])["write", "object", "bwrite"])
        {
            Assert.Matches("^[1-9].*(not permitted|Permission denied)", guest[refused]);
        }

        // What is made again has fs-verity again.
        Assert.Matches("^3 .*its mode is 0666 instead of 0644.*the object is missing", guest["damaged"]);
        Assert.Matches("^0 .*2 problems, 2 repaired, in 1 file of roots too", guest["repair"]);
        Assert.Matches($"^0 .*{all}", guest["mended"]);
        Assert.Matches($"^0 .*all is well: {Files + 6} objects, .* \\({Files + 6} measured by fs-verity, not read\\)", guest["frozen"]);
        Assert.Matches($"^0 .*{all}", guest["bmeasured"]);

        // A block that was changed on the disk is an error to who reads it, and found by who reads all. The adopted file has its block still.
        Assert.Matches("^[1-9]", guest["flipped"]);
        Assert.Equal("0 ", guest["unread"]);
        Assert.Matches("^3 files/[^ ]*: cannot be read: .*; needed by consumed as adopted", guest["found"]);
    }

    /// <summary>Makes the trees: many files, an empty one, a large one, one with holes, one with set-user-id.</summary>
    private void Fill()
    {
        Directory.CreateDirectory(ext4.At("tree/etc"));
        Directory.CreateDirectory(ext4.At("consumed"));
        File.Copy(Hacktree.Path, ext4.At("hacktree"));
        File.Copy(Path.Combine(BootRoot.Path, "usr/bin/chmod"), ext4.At("chmod"));
        var random = new Random(20);
        for (int i = 0; i < Files; i++)
        {
            File.WriteAllBytes(ext4.At($"tree/file{i}"), Bytes(random, 10_000 + i));
        }

        File.WriteAllText(ext4.At("tree/etc/small"), Small);
        File.WriteAllBytes(ext4.At("tree/empty"), []);
        File.WriteAllBytes(ext4.At("tree/large"), Bytes(random, 60_000_000));
        File.WriteAllText(ext4.At("tree/setuid"), "set-user-id");
        Tools.Run("chmod", "4755", ext4.At("tree/setuid")).Succeeded();
        File.WriteAllBytes(ext4.At("consumed/adopted"), Bytes(random, 20_000));
        Tools.Run("truncate", "-s", "5000000", ext4.At("consumed/holes")).Succeeded();
        Tools.Run("sh", "-c", $"find {ext4.Path} -exec touch -d '2024-05-06 07:08:09Z' {{}} +").Succeeded();
        ext4.Unmount();
        btrfs.Unmount();
    }

    private BootResult Boot(string script)
    {
        byte[] added = Segment(script);
        string initrd = Path.Combine(Path.GetDirectoryName(ext4.Image)!, "initrd");
        byte[] own = File.ReadAllBytes(BootRoot.Initrd);
        File.WriteAllBytes(initrd, [.. own, .. new byte[-own.Length & 3], .. added]);
        return Qemu.Run(
            "verity",
            "-drive", $"file={ext4.Image},if=virtio,format=raw,cache=unsafe", "-drive", $"file={btrfs.Image},if=virtio,format=raw,cache=unsafe",
            "-kernel", BootRoot.Kernel, "-initrd", initrd, "-append", "console=ttyS0 rdinit=/verity panic=-1 no_timer_check");
    }

    private static byte[] Bytes(Random random, int size)
    {
        byte[] bytes = new byte[size];
        random.NextBytes(bytes);
        return bytes;
    }

    /// <summary>An archive with the script, which the kernel unpacks behind the initrd's own.</summary>
    private static byte[] Segment(string script) => CpioTests.Write(writer =>
    {
        writer.Write("verity"u8, new CpioHeader { Mode = 0x81ED, LinkCount = 1 }, Encoding.ASCII.GetBytes(script));
        writer.Write("zero"u8, new CpioHeader { Mode = 0x81A4, LinkCount = 1 }, new byte[4096]);
    });

    private static string Seconds(string verdict) => Duration().Match(verdict) is { Success: true } found
        ? found.Groups[1].Value
        : "?";

    [GeneratedRegex("; ([0-9.]+ [a-z]+)$")]
    private static partial Regex Duration();
}
