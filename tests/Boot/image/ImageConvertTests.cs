using System.Diagnostics;
using System.Text.RegularExpressions;
using HackTree.Linux;
using HackTree.Tests.Crash;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Boot;

/// <summary>Runs `hacktree image convert` on images that are killed, resumed, undone and booted.</summary>
[Collection(BootCollection.Name)]
public sealed class ImageConvertTests : IDisposable
{
    private readonly ImageWorld world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public void A_stock_system_killed_while_it_is_converted_comes_back_and_converted_boots_as_r0_with_home_of_its_own()
    {
        RequireMounting();
        Tools.Require("strace");
        string tree = world.MakeTree(), stock = world.At("stock.img"), homes = world.MakeFilesystem("homes", []);
        StockDisk.Make(stock, tree, Path.GetFileName(BootRoot.Kernel)["vmlinuz-".Length..], 1500L * 1024 * 1024, world.At(""));
        ImageWorld.Image("edit", stock, "--", "sh", "-c", "echo 'LABEL=homes /home ext4 defaults 0 2' >> etc/fstab").Succeeded();
        string before = StockDisk.Listing(stock);

        Kill(stock, 7);
        Assert.Contains("\nr0/bin ", "\n" + StockDisk.Listing(stock), StringComparison.Ordinal);
        ImageWorld.Image("convert", "--undo", stock).Succeeded();
        Assert.Equal(before, StockDisk.Listing(stock));

        Kill(stock, 12);
        Assert.Contains("/home stays on its own filesystem: line 2 of /etc/fstab", ImageWorld.Image("convert", stock).Error, StringComparison.Ordinal);
        BootResult boot = Qemu.Run("image-converted", [.. ImageWorld.Drive(stock), .. ImageWorld.Drive(homes)]);
        boot.RequireRunning();
        Assert.Equal("/dev/vdb rw,relatime", boot["/home"]);
        Assert.Equal("/dev/vda1[/var] rw,relatime", boot["/var"]);
        Assert.Equal("/dev/vda1[/r0] rw,relatime", boot["root"]);
        Assert.Equal(("yes", "yes", "yes"), (boot["/usr/written"], boot["/etc/written"], boot["/boot/written"]));
        Assert.Equal("systemd", boot["packages"]);
        Assert.Contains("quiet subroot=r0 subroot.rw", boot["commandline"], StringComparison.Ordinal);
    }

    /// <summary>The way of docs/stock-debian.md. Its commands are tried here, on the disk and not in the running system.</summary>
    [Fact]
    public void A_stock_system_is_converted_deployed_and_rolled_back()
    {
        RequireMounting();
        string tree = world.MakeTreeWithProgram(), stock = world.At("stock.img");
        StockDisk.Make(stock, tree, Path.GetFileName(BootRoot.Kernel)["vmlinuz-".Length..], 1900L * 1024 * 1024, world.At(""));
        ImageWorld.Image("convert", stock).Succeeded();
        string[] commands = [.. Repository.Read("docs/stock-debian.md").Split('\n').Where(line => Regex.IsMatch(line, "^hacktree (?!image|build|upgrade)"))];
        Assert.Equal(
            ["hacktree init /sysroot/objects", "hacktree commit -q -b debian /sysroot/r0", "hacktree deploy debian", "hacktree status", "hacktree rollback"], commands);
        string script = string.Join('\n', commands[..3]).Replace("/sysroot/", "", StringComparison.Ordinal);
        Assert.EndsWith("\nr1\n", ImageWorld.Edit(stock, "hacktree() { $P \"$@\"; }; " + script), StringComparison.Ordinal);
        Assert.Equal("r0: default; r1: trial 3", DeployWorld.StatesIn(ImageWorld.Edit(stock, "$H status --json")));
        BootResult boot = Qemu.Run("image-stock-trial", ImageWorld.Drive(stock));
        boot.RequireRunning();
        Assert.Contains(" subroot=r1 subroot.trial", boot["commandline"], StringComparison.Ordinal);
        Assert.Equal("r0: rollback; r1: default", DeployWorld.StatesIn(ImageWorld.Edit(stock, "$H status --json")));
        Assert.Equal("r0\n", ImageWorld.Edit(stock, "$H rollback"));
        Assert.Equal("r0: default; r1: rollback", DeployWorld.StatesIn(ImageWorld.Edit(stock, "$H status --json")));
    }

    [Fact]
    public void A_copy_is_converted_and_the_image_left_alone()
    {
        RequireMounting();
        string stock = MakeSmallStock();
        byte[] before = File.ReadAllBytes(stock);
        string copy = world.At("copy.qcow2");
        ImageWorld.Image("convert", stock, "-o", copy, "--root", "debian").Succeeded();
        Assert.Equal(before, File.ReadAllBytes(stock));
        Assert.Contains("debian/var/lib/dpkg/status", StockDisk.Listing(copy), StringComparison.Ordinal);
        Assert.Contains("converted already", ImageWorld.Image("convert", copy).Error, StringComparison.Ordinal);
        Assert.Contains("nothing was converted", ImageWorld.Image("convert", "--undo", stock).Error, StringComparison.Ordinal);
        Assert.Contains("exists already", Hacktree.Refused(ImageWorld.Image("convert", stock, "-o", copy)), StringComparison.Ordinal);
        foreach (string other in new[] { "raw.img", "again.qcow2" })
        {
            Tools.Run("chmod", "600", copy).Succeeded();
            ImageWorld.Image("convert", "--undo", copy).Succeeded();
            DurableOutputTests.AssertDurable(["image", "convert", copy, "-o", world.At(other)], world.At(""), other);
            Assert.Equal("600\n", Tools.Run("stat", "-c", "%a", world.At(other)).Succeeded());
            Assert.Contains("r0/var/lib/dpkg/status", StockDisk.Listing(world.At(other)), StringComparison.Ordinal);
        }

        IEnumerable<string?> names = Directory.EnumerateFileSystemEntries(world.At("")).Select(Path.GetFileName).Except(["core.img"]);
        Assert.Equal(["again.qcow2", "copy.qcow2", "raw.img", "small", "small.img"], names.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void What_cannot_be_converted_or_edited_is_refused_in_one_sentence()
    {
        RequireMounting();
        string stock = MakeSmallStock(), none = world.At("none.img");
        File.WriteAllBytes(none, new byte[1024 * 1024]);
        Assert.Contains("no ext4", Hacktree.Refused(ImageWorld.Image("convert", none)), StringComparison.Ordinal);
        Assert.Contains("no such image", Hacktree.Refused(ImageWorld.Image("convert", world.At("missing.img"))), StringComparison.Ordinal);
        Assert.Contains("cannot name a root", Hacktree.Refused(ImageWorld.Image("convert", stock, "--root", "../x")), StringComparison.Ordinal);

        ImageWorld.Image("edit", stock, "--", "mv", "etc/debian_version", "etc/other").Succeeded();
        Assert.Contains("no Debian root", Hacktree.Refused(ImageWorld.Image("convert", stock)), StringComparison.Ordinal);
        Assert.Contains("no root /r0", Hacktree.Refused(ImageWorld.Image("edit", stock, "--chroot", "r0")), StringComparison.Ordinal);

        string cut = world.At("cut.img");
        Tools.Run("dd", $"if={stock}", $"of={cut}", "bs=1M", "count=20", "status=none").Succeeded();
        Assert.Contains("beyond its end", Hacktree.Refused(ImageWorld.Image("edit", cut)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_command_in_an_image_gives_its_exit_code_and_an_image_in_use_is_refused()
    {
        RequireMounting();
        string stock = MakeSmallStock(), other = world.At("other.qcow2");
        Tools.Run("qemu-img", "convert", "-O", "qcow2", stock, other).Succeeded();
        foreach (string image in new[] { stock, other })
        {
            ToolResult result = ImageWorld.Image("edit", image, "--", "sh", "-c", "echo kept > home/kept; pwd; exit 7");
            Assert.Equal(7, result.ExitCode);
            Assert.False(Directory.Exists(result.Output.Trim()), $"{result.Output.Trim()} is still there");
            Assert.Equal("kept\n", ImageWorld.Image("edit", image, "--", "cat", "home/kept").Succeeded());
            Assert.Contains("cannot be run", Hacktree.Refused(ImageWorld.Image("edit", image, "--", "/no/such/program")), StringComparison.Ordinal);

            using (Process holder = Hold(image, "edit", image, "--", "sh", "-c", "echo ready; exec sleep 60"))
            {
                try
                {
                    Assert.Contains("another `hacktree image`", Hacktree.Refused(ImageWorld.Image("edit", image, "--", "true")), StringComparison.Ordinal);
                }
                finally
                {
                    holder.Kill(entireProcessTree: true);
                    holder.WaitForExit();
                }
            }

            // The mount ends with the killed process, but not at once: the kernel ends a mount namespace after the process.
            Assert.True(SpinWait.SpinUntil(() => Tools.Run("losetup", "-j", image).Succeeded().Length == 0, TimeSpan.FromMinutes(1)));
            ImageWorld.Image("edit", image, "--", "true").Succeeded();
            using Process machine = StartMachine(image);
            try
            {
                Assert.Contains("a QEMU has it open", Hacktree.Refused(ImageWorld.Image("edit", image, "--", "true")), StringComparison.Ordinal);
            }
            finally
            {
                machine.Kill();
                machine.WaitForExit();
            }
        }

        string device = Tools.Run("losetup", "--find", "--show", stock).Succeeded().Trim();
        try
        {
            Assert.Contains($"attached to {device}", Hacktree.Refused(ImageWorld.Image("convert", stock)), StringComparison.Ordinal);
        }
        finally
        {
            Tools.Run("losetup", "-d", device);
        }
    }

    [Fact]
    public void What_was_edited_is_kept_wherever_temporary_files_are()
    {
        RequireMounting();
        string stock = MakeSmallStock(), other = world.At("other.qcow2");
        Tools.Run("qemu-img", "convert", "-O", "qcow2", stock, other).Succeeded();
        Tools.Run("chmod", "600", other).Succeeded();
        Directory.CreateDirectory(world.At("a place"));
        Directory.CreateDirectory(world.At("a place/temporary"));
        File.CreateSymbolicLink(world.At("link"), world.At("a place"));
        string[] edit = ["TMPDIR=" + world.At("link/temporary"), Hacktree.Path, "image", "edit", other, "--", "sh", "-c"];
        string said = Tools.Run("env", [.. edit, $"echo kept > home/kept; ls -A {world.At("")}"]).Succeeded();

        // The raw copy has no name: nobody else can open it, and it goes with the process.
        Assert.DoesNotContain("partial", said, StringComparison.Ordinal);
        Assert.Equal("kept\n", ImageWorld.Image("edit", other, "--", "cat", "home/kept").Succeeded());
        Assert.Empty(Directory.EnumerateFileSystemEntries(world.At("a place/temporary")));
        Assert.Equal("600\n", Tools.Run("stat", "-c", "%a", other).Succeeded());
    }

    [Fact]
    public void In_a_hardlinked_root_an_edit_writes_no_file_of_the_store()
    {
        RequireMounting();
        string tree = world.MakeSmallTree(), disk = world.At("disk.img");
        Tools.Run("sh", "-c", $"cp -L --parents $(ldd /bin/sh | grep -o '/[^ ]*') {tree} && cp -L /bin/sh {tree}/usr/bin/sh").Succeeded();
        ImageWorld.Image("create", "--tree", tree, "-o", disk, "--size", "64M", "--roots", "r0,r1").Succeeded();
        const string script = "for f in /usr/bin/x /var/lib/dpkg/status /etc/debian_version /var/log/log; do if (echo more >> $f) 2> /dev/null; then echo $f; fi; done";
        string written = ImageWorld.Image("edit", disk, "--chroot", "r1", "--", "/usr/bin/sh", "-c", script).Succeeded();
        Assert.Equal("/etc/debian_version\n/var/log/log\n", written);
        ImageWorld.Image("edit", disk, "--", Hacktree.Path, "--store", "objects", "fsck", "-q").Succeeded();

        // Without its record, nothing tells whom the files belong to.
        string unknown = ImageWorld.Image("edit", disk, "--", "rm", "objects/roots/r1.json").Succeeded();
        Assert.Equal("/var/log/log\n", unknown + ImageWorld.Image("edit", disk, "--chroot", "r1", "--", "/usr/bin/sh", "-c", script).Succeeded());
    }

    private static void RequireMounting()
    {
        ImageWorld.Require();
        Assert.SkipUnless(Sys.IsRoot, "only root can mount what is in an image");
    }

    private string MakeSmallStock()
    {
        string disk = world.At("small.img");
        StockDisk.Make(disk, world.MakeSmallTree(), "6.1.0-10-test", 64L * 1024 * 1024, world.At(""));
        return disk;
    }

    /// <summary>Ends a conversion by kill -9 just before its n-th rename.</summary>
    private static void Kill(string image, int rename)
    {
        ToolResult result = Tools.Run("strace", "-f", "-o", "/dev/null", "-e", "trace=renameat2", "-e", $"inject=renameat2:signal=KILL:when={rename}", Hacktree.Path, "image", "convert", image);
        Assert.NotEqual(0, result.ExitCode);
    }

    private static Process Hold(string image, params string[] arguments)
    {
        Process process = Process.Start(new ProcessStartInfo(Hacktree.Path, ["image", .. arguments]) { RedirectStandardOutput = true })!;
        Assert.True(process.StandardOutput.ReadLine() == "ready", $"{image} could not be held");
        return process;
    }

    /// <summary>Starts a machine that has the image open and waits.</summary>
    private static Process StartMachine(string image)
    {
        string format = image.EndsWith("qcow2", StringComparison.Ordinal) ? "qcow2" : "raw";
        string[] arguments = ["-S", "-accel", "tcg", "-display", "none", "-nodefaults", "-qmp", "stdio", "-drive", $"file={image},format={format},if=virtio"];
        Process process = Process.Start(new ProcessStartInfo("qemu-system-x86_64", arguments) { RedirectStandardOutput = true, RedirectStandardInput = true })!;
        Assert.Contains("QMP", process.StandardOutput.ReadLine(), StringComparison.Ordinal);
        return process;
    }
}
