namespace HackTree.Tests.Boot;

/// <summary>
/// Boots roots that are images, on Linux 6.1, which mounts them from a loop device over an ordinary layer. A good one becomes the default; from one that
/// cannot be mounted the initrd goes to the root before, in the same boot.
/// </summary>
[Collection(BootCollection.Name)]
public sealed class ImageRootBootTests : IDisposable
{
    private readonly ImageWorld world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public void A_root_that_is_an_image_boots_and_from_a_damaged_one_the_machine_comes_back()
    {
        ImageWorld.Require();
        string disk = world.MakeDisk(world.MakeTreeWithProgram());

        const string Machine = "0123456789abcdef0123456789abcdef";
        Assert.Equal("r1\n", ImageWorld.Edit(disk, $"cd r0/etc; echo mine > edited; echo {Machine} > machine-id; cd ../..; $H deploy -q --composefs debian/bookworm"));
        BootResult good = Boot(disk, "image-good");
        Assert.Contains(" subroot=r1 ", good["commandline"], StringComparison.Ordinal);
        Assert.Equal("running", good["state"]);
        Assert.StartsWith("hacktree:/r1 ro", good["root"], StringComparison.Ordinal);
        Assert.Equal("no", good["/usr/written"]);
        foreach (string writable in (string[])["/etc/written", "/var/written", "/home/written", "/boot/written"])
        {
            Assert.Equal("yes", good[writable]);
        }

        Assert.Equal("systemd", good["packages"]);
        Assert.StartsWith("hacktree:/r1[/var/lib/dpkg] ro", good["/var/lib/dpkg"], StringComparison.Ordinal);
        Assert.Equal("r0: rollback; r1: default", States(disk));
        Assert.Equal($"mine {Machine} yes\n", ImageWorld.Edit(disk, "cd r1/etc; echo $(cat edited machine-id) $([ -f written ] && echo yes)"));

        // A second root of the commit takes little.
        Assert.Equal("r2\n", ImageWorld.Edit(disk, "$H deploy -q --composefs --tries 1 debian/bookworm"));
        long kilobytes = long.Parse(ImageWorld.Edit(disk, "du -s r0 r1 r2 | sed -n '$s/\\t.*//p'"), System.Globalization.CultureInfo.InvariantCulture);
        TestContext.Current.TestOutputHelper?.WriteLine($"a second root takes {kilobytes} kB");
        Assert.InRange(kilobytes, 1, 3000);
        Assert.Equal("boot\netc\nhacktree.erofs\nusr\n", ImageWorld.Edit(disk, "ls r2"));
        ImageWorld.Edit(disk, "$H fsck -q; $H roots check r2; $H gc -q --keep 9");

        // Its image is cut short, as on a disk with an error.
        ImageWorld.Edit(disk, "head -c 1000 r2/hacktree.erofs > short; mv short r2/hacktree.erofs; if $H roots check r2; then exit 9; fi");
        BootResult other = Boot(disk, "image-damaged");
        Assert.Contains(" subroot=r2 ", other["commandline"], StringComparison.Ordinal);
        Assert.Contains("the image of /r2 cannot be mounted", other["said"], StringComparison.Ordinal);
        Assert.Contains("booting r1 instead", other["said"], StringComparison.Ordinal);
        Assert.StartsWith("hacktree:/r1 ro", other["root"], StringComparison.Ordinal);
        Assert.Contains("r2: failed its initrd could not enter it: the image of /r2 cannot be mounted", States(disk), StringComparison.Ordinal);
    }

    private static BootResult Boot(string disk, string name)
    {
        BootResult boot = Qemu.Run(name, ImageWorld.Drive(disk));
        boot.RequireRunning();
        return boot;
    }

    private static string States(string disk) => DeployWorld.StatesIn(ImageWorld.Edit(disk, "$H status --json"));
}
