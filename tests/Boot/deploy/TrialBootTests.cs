using HackTree.Tests.Crash;

namespace HackTree.Tests.Boot;

/// <summary>Deploys into a disk and boots it, with nobody there: a good root becomes the default, and from a bad one the machine comes back.</summary>
[Collection(BootCollection.Name)]
public sealed class TrialBootTests : IDisposable
{
    private readonly ImageWorld world = new();

    public void Dispose() => world.Dispose();

    [Fact]
    public void A_good_root_becomes_the_default_and_from_a_bad_one_the_machine_comes_back()
    {
        ImageWorld.Require();
        string disk = world.At("disk.img"), tree = world.MakeTree();
        Directory.CreateDirectory(Path.Combine(tree, "usr/bin"));
        File.Copy(Hacktree.Path, Path.Combine(tree, "usr/bin/hacktree"));
        ImageWorld.Image("create", "--tree", tree, "-o", disk, "--roots", "r0", "--size", "3G", "--menu", "1").Succeeded();
        Assert.Equal("r0: default", States(disk));

        const string Machine = "0123456789abcdef0123456789abcdef";
        Assert.Equal("r1\n", ImageWorld.Edit(disk, $"cd r0/etc; echo mine > edited; echo mine > hostname; echo {Machine} > machine-id; cd ../..; $H deploy -q debian/bookworm"));
        Assert.Equal("r0: default; r1: trial 3", States(disk));
        BootResult good = Boot(disk, "trial-good");
        Assert.Contains(" subroot=r1 ", good["commandline"], StringComparison.Ordinal);
        Assert.Equal("running", good["state"]);
        Assert.Equal("r0: rollback; r1: default", States(disk));
        Assert.Equal($"mine mine {Machine}\n", ImageWorld.Edit(disk, "cd r1/etc; echo $(cat edited hostname machine-id)"));

        // One check fails. Its words are kept, and the next boot is that of the root before.
        const string bad =
            """
            $H checkout -q --copy debian/bookworm bad; mkdir -p bad/etc/hacktree/health.d
            printf '#!/bin/sh\necho planted; exit 7\n' > bad/etc/hacktree/health.d/10-planted; chmod 755 bad/etc/hacktree/health.d/10-planted
            $H commit -q -b bad bad > /dev/null; $H roots rm bad; $H deploy -q --tries 1 bad
            """;
        Assert.Equal("r2\n", ImageWorld.Edit(disk, bad));
        _ = Run(disk, "trial-check");
        Assert.Equal("r0: rollback; r1: default; r2: failed /etc/hacktree/health.d/10-planted ended with 7: planted", States(disk));

        // A root without the loader of its programs: the kernel panics, which counts as a try.
        const string broken =
            """
            $H checkout -q --copy debian/bookworm broken; rm broken/usr/lib64/ld-linux-x86-64.so.2
            $H commit -q -b broken broken > /dev/null; $H roots rm broken; $H deploy -q broken 2> refused && exit 9
            grep -q 'could not be updated' refused; $H deploy -q --tries 1 --force broken
            """;
        Assert.Equal("r3\n", ImageWorld.Edit(disk, broken));
        BootResult panic = Run(disk, "trial-panic");
        Assert.Contains("Kernel panic", panic.Log, StringComparison.Ordinal);
        Assert.EndsWith("r3: failed it did not start far enough to say that it is good", States(disk), StringComparison.Ordinal);

        // A start that never ends: the deadline restarts the machine.
        const string hanging =
            """
            $H checkout -q --copy debian/bookworm hanging; cd hanging/etc/systemd/system
            printf '[Unit]\nBefore=multi-user.target\n[Service]\nType=oneshot\nTimeoutStopSec=1\nExecStart=/bin/sleep infinity\n' > hang.service
            ln -s ../hang.service multi-user.target.wants/hang.service; cd ../../../..
            $H commit -q -b hanging hanging > /dev/null; $H roots rm hanging; $H deploy -q --tries 1 hanging
            """;
        Assert.Equal("r4\n", ImageWorld.Edit(disk, hanging));
        BootResult hang = Run(disk, "trial-hang", "-smbios", "type=11,value=hacktree::subroot.deadline=90");
        Assert.Contains("reboot: Restarting system", hang.Log, StringComparison.Ordinal);
        Assert.EndsWith("r4: failed it did not start far enough to say that it is good", States(disk), StringComparison.Ordinal);
        Assert.EndsWith(" subroot=r1", Boot(disk, "trial-back")["commandline"].TrimEnd(), StringComparison.Ordinal);

        Assert.Equal("r1\nr0\n", ImageWorld.Edit(disk, "$H rollback; $H rollback"));
        Assert.StartsWith("r0: default; r1: rollback", States(disk), StringComparison.Ordinal);
    }

    private static BootResult Boot(string disk, string name)
    {
        BootResult boot = Run(disk, name);
        boot.RequireRunning();
        return boot;
    }

    private static BootResult Run(string disk, string name, params string[] machine) => Qemu.Run(name, [.. ImageWorld.Drive(disk), .. machine]);

    /// <summary>What `status` says of each root: "r0: default; r1: trial 3".</summary>
    private static string States(string disk) => DeployWorld.StatesIn(ImageWorld.Edit(disk, "$H status --json"));
}
