using System.Diagnostics;
using System.Globalization;
using HackTree.Linux;
using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>Checks what `hacktree image create` makes and refuses, without booting it.</summary>
public sealed class ImageCreateTests : IDisposable
{
    private readonly ImageWorld world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public void An_image_is_made_without_the_right_to_mount()
    {
        Require();
        Tools.Require("setpriv", "cpio");
        Assert.SkipUnless(Sys.IsRoot, "only root can keep owners");
        string tree = world.MakeSmallTree(), disk = world.At("a disk.img");
        Tools.Run("chown", "12:34", Path.Combine(tree, "usr/bin/x")).Succeeded();
        string[] create = [Hacktree.Path, "image", "create", "--tree", tree, "-o", disk, "--size", "64M"];
        string[] unable = ["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"];
        Assert.NotEqual(0, Tools.Run("setpriv", [.. unable, "mount", "-t", "tmpfs", "tmpfs", world.At("small")]).ExitCode);
        Tools.Run("setpriv", [.. unable, .. create]).Succeeded();

        // GRUB finds kernels and roots by itself. The package database belongs to the root alone.
        const string script = "stat -c '%u %g %h %n' r0/usr/bin/x r0/var/lib/dpkg/status home objects; ls var/lib/dpkg; grep -c '^ *set hacktree_usual=r0' boot/grub/grub.cfg; ls boot";
        string[] facts = ImageWorld.Image("edit", disk, "--", "sh", "-c", script).Succeeded().Split('\n');
        Assert.Equal(["12 34 3 r0/usr/bin/x", "0 0 2 r0/var/lib/dpkg/status", "0 0 2 home", "0 0 9 objects", "1", "grub", "hacktree.cpio.gz"], facts[..7]);
    }

    [Theory]
    [InlineData("disk.img")]
    [InlineData("disk.qcow2")]
    public void An_image_is_its_makers_alone_and_durable_when_it_has_its_name(string name)
    {
        Require();
        Tools.Require("strace", "cpio");
        Assert.SkipUnless(Sys.IsRoot, "only root can keep owners");
        string tree = world.MakeSmallTree(), disk = world.At(name);
        string[] command = ["image", "create", "--tree", tree, "-o", disk, "--size", "64M"];
        DurableOutputTests.AssertDurable(command, Path.GetDirectoryName(disk)!, name);
        Assert.Equal("600\n", Tools.Run("stat", "-c", "%a", disk).Succeeded());
        Assert.Equal([name, "small"], Directory.EnumerateFileSystemEntries(world.At("")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        ImageWorld.Image("edit", disk, "--", "stat", "r0/usr/bin/x").Succeeded();
    }

    [Fact]
    public void Lines_of_the_trees_fstab_for_other_disks_are_named()
    {
        Require();
        Assert.SkipUnless(Sys.IsRoot, "only root can keep owners");
        string tree = world.MakeSmallTree();
        string[] lines =
        [
            "UUID=1 / ext4 defaults 0 1", "UUID=2 /boot/efi vfat umask=0077 0 1", "/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0",
            "LABEL=hacktree /data ext4 defaults 0 2", "PARTUUID=3 none swap sw 0 0", "tmpfs /tmp tmpfs defaults", "/dev/sdb1 /srv ext4 nofail",
        ];
        File.WriteAllLines(Path.Combine(tree, "etc/fstab"), lines);
        string said = ImageWorld.Image("create", "--tree", tree, "-o", world.At("disk.img"), "--size", "64M").Error;
        Assert.Contains("/etc/fstab of the tree, lines 2, 5 (/boot/efi, swap): partitions that the new disk lacks", said, StringComparison.Ordinal);
        File.WriteAllLines(Path.Combine(tree, "etc/fstab"), lines[2..4]);
        Assert.DoesNotContain("fstab", ImageWorld.Image("create", "--tree", tree, "-o", world.At("other.img"), "--size", "64M").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_roots_of_a_disk_for_UEFI_mount_its_own_EFI_system_partition()
    {
        Require();
        Tools.Require("mkfs.vfat", "mcopy");
        Assert.SkipUnless(Sys.IsRoot, "only root can keep owners");
        Assert.SkipUnless(File.Exists("/usr/lib/systemd/boot/efi/systemd-bootx64.efi"), "the package systemd-boot-efi is not installed");
        string tree = world.MakeSmallTree(), disk = world.At("disk.img");
        File.WriteAllText(Path.Combine(tree, "etc/fstab"), "# a note\nUUID=ABCD-0123 /boot/efi vfat umask=0077 0 1\nLABEL=hacktree /data ext4 defaults 0 2\n");
        string said = ImageWorld.Image("create", "--tree", tree, "-o", disk, "--size", "256M", "--uefi").Error;
        Assert.DoesNotContain("fstab", said, StringComparison.Ordinal);
        string lines = ImageWorld.Image("edit", disk, "--", "sh", "-c", "cat r0/etc/fstab; ls -d boot/efi").Succeeded();
        Assert.Matches("^# a note\nLABEL=hacktree /data ext4 defaults 0 2\nUUID=[0-9A-F]{4}-[0-9A-F]{4} /boot/efi vfat umask=0077 0 1\nboot/efi\n", lines);
    }

    [Fact]
    public void Traces_of_one_machine_are_named_and_a_sealed_commit_has_none()
    {
        Require();
        Assert.SkipUnless(Sys.IsRoot, "only root can keep owners");
        string tree = world.MakeSmallTree(), store = Store();
        Directory.CreateDirectory(Path.Combine(tree, "etc/ssh"));
        File.WriteAllText(Path.Combine(tree, "etc/machine-id"), "b08dfa6083e7567a1921a715000001fb\n");
        File.WriteAllText(Path.Combine(tree, "etc/ssh/ssh_host_rsa_key"), "secret");
        File.WriteAllText(Path.Combine(tree, "etc/ssh/ssh_host_rsa_key.pub"), "public");
        string said = ImageWorld.Image("create", "--tree", tree, "-o", world.At("one.img"), "--size", "64M").Error;
        Assert.Contains("machine id (/etc/machine-id), ssh host keys (/etc/ssh/ssh_host_rsa_key and 1 more), logs (/var/log/log)", said, StringComparison.Ordinal);
        Hacktree.Run("--store", store, "commit", "-b", "sealed", "--seal", tree).Succeeded();
        said = ImageWorld.Image("create", "--store", store, "--tree", "sealed", "-o", world.At("two.img"), "--size", "64M").Error;
        Assert.DoesNotContain("--seal", said, StringComparison.Ordinal);
        string listed = ImageWorld.Image("edit", world.At("two.img"), "--", "sh", "-c", "stat -c '%s %n' r0/etc/machine-id var/log/log; ls r0/etc/ssh; stat -c %s boot/grub/grubenv").Succeeded();
        Assert.Equal("0 r0/etc/machine-id\n0 var/log/log\n1024\n", listed);
    }

    [Fact]
    public void What_cannot_be_made_is_refused_in_one_sentence_and_leaves_nothing()
    {
        Require();
        Assert.SkipUnless(Sys.IsRoot, "only root can come so far; others are refused before");
        string tree = world.MakeSmallTree(), disk = world.At("disk.img");
        Assert.Contains("'missing' is no ref and no commit", Refusal("--tree", "missing", "-o", disk, "--store", Store()), StringComparison.Ordinal);
        Assert.Contains("at least 64 MiB", Refusal("--tree", tree, "-o", disk, "--size", "1M"), StringComparison.Ordinal);
        Assert.Contains("cannot name a root", Refusal("--tree", tree, "-o", disk, "--roots", "r0,../x"), StringComparison.Ordinal);
        Assert.Contains("cannot name a root", Refusal("--tree", tree, "-o", disk, "--roots", "1,2"), StringComparison.Ordinal);
        Assert.Contains("r0 and R0 differ only in case", Refusal("--tree", tree, "-o", disk, "--uefi", "--roots", "r0,r1,R0"), StringComparison.Ordinal);
        Assert.Contains("2 TiB at most", Refusal("--tree", tree, "-o", disk, "--size", "3T"), StringComparison.Ordinal);
        Assert.Contains("a name of its own", Refusal("--tree", tree, "-o", disk, "--roots", "r0,r0"), StringComparison.Ordinal);
        Assert.Contains("not among the roots r0", Refusal("--tree", tree, "-o", disk, "--default", "r1"), StringComparison.Ordinal);
        Assert.Contains("no such directory", Refusal("--tree", tree, "-o", world.At("no/disk.img")), StringComparison.Ordinal);
        Assert.Contains("exists already", Refusal("--tree", tree, "-o", world.At("small"), "--format", "raw"), StringComparison.Ordinal);
        Assert.Equal(2, ImageWorld.Image("create", "--tree", tree, "-o", world.At("disk")).ExitCode);
        Assert.Equal(2, ImageWorld.Image("create", "--tree", tree, "-o", disk, "--size", "many").ExitCode);

        using (FileStream large = File.Create(Path.Combine(tree, "large")))
        {
            byte[] piece = new byte[1024 * 1024];
            new Random(1).NextBytes(piece);
            for (int i = 0; i < 70; i++)
            {
                large.Write(piece);
            }
        }

        Assert.Contains("does not fit", Refusal("--tree", tree, "-o", disk, "--size", "64M"), StringComparison.Ordinal);
        Directory.Delete(Path.Combine(tree, "boot"), recursive: true);
        Assert.Contains("no kernel", Refusal("--tree", tree, "-o", disk), StringComparison.Ordinal);
        Assert.Equal(["small", "store"], Directory.EnumerateFileSystemEntries(world.At("")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_creation_that_is_stopped_while_another_program_works_ends_that_program_and_leaves_nothing()
    {
        Require();
        Assert.SkipUnless(Sys.IsRoot, "only root can come so far; others are refused before");
        string tree = world.MakeSmallTree(), tools = world.At("tools"), begun = world.At("begun");
        Directory.CreateDirectory(tools);
        Tools.Run("mkfifo", begun).Succeeded();
        File.WriteAllText(Path.Combine(tools, "mkfs.ext4"), $"#!/bin/sh\necho $$ > '{begun}'\nexec sleep 1000\n");
        Tools.Run("chmod", "755", Path.Combine(tools, "mkfs.ext4")).Succeeded();

        // A shell would start the program with SIGINT ignored.
        string[] command = ["--default-signal", Hacktree.Path, "image", "create", "-q", "--tree", tree, "-o", world.At("disk.img"), "--size", "64M"];
        var start = new ProcessStartInfo("env", command) { RedirectStandardError = true };
        start.Environment["PATH"] = $"{tools}:{Environment.GetEnvironmentVariable("PATH")}";
        using Process process = Process.Start(start)!;
        string child = File.ReadAllText(begun).Trim();
        Tools.Run("kill", "-INT", process.Id.ToString(CultureInfo.InvariantCulture)).Succeeded();
        Assert.True(process.WaitForExit(TimeSpan.FromMinutes(1)), "it does not end");
        Assert.Equal((130, $"hacktree: stopped; {world.At("disk.img")} was not made\n"), (process.ExitCode, process.StandardError.ReadToEnd()));
        Assert.NotEqual(0, Tools.Run("kill", "-0", child).ExitCode);
        Assert.Equal(["begun", "small", "tools"], Directory.EnumerateFileSystemEntries(world.At("")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_missing_program_is_named_with_its_package()
    {
        Require();
        Assert.SkipUnless(Sys.IsRoot, "only root can come so far; others are refused before");
        string tree = world.MakeSmallTree();

        // The command runs in a namespace in which the programs are hidden.
        static string Hidden(string program, params string[] arguments) => Hacktree.Refused(Tools.Run(
            "unshare", ["--mount", "sh", "-c", $"mount -t tmpfs tmpfs {Path.GetDirectoryName(Tools.Find(program))} && exec \"$@\"", "sh", Hacktree.Path, "image", .. arguments]));
        Assert.Contains("mkfs.ext4 is not installed; install the package e2fsprogs", Hidden("mkfs.ext4", "create", "--tree", tree, "-o", world.At("a.img")), StringComparison.Ordinal);
    }

    private static void Require() => ImageWorld.Require();

    private static string Refusal(params string[] arguments) => Hacktree.Refused(ImageWorld.Image(["create", "-q", .. arguments]));

    private string Store()
    {
        Hacktree.Run("init", "--store", world.At("store")).Succeeded();
        return world.At("store");
    }
}
