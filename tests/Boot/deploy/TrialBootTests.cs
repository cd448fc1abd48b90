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
        string disk = world.MakeDisk(world.MakeTreeWithProgram());
        Assert.Equal("r0: default", States(disk));

        // The commit of r1 has a kernel and no initrd.
        ImageWorld.Edit(disk, "$H checkout -q --copy debian/bookworm bare; rm bare/boot/initrd.img-*; $H commit -q -b bare bare > /dev/null; $H roots rm bare; rm boot/initrd.img-*");
        const string Machine = "0123456789abcdef0123456789abcdef";
        Assert.Equal("r1\n", ImageWorld.Edit(disk, $"cd r0/etc; echo mine > edited; echo mine > hostname; echo {Machine} > machine-id; cd ../..; $H deploy -q bare"));
        ImageWorld.Edit(disk, "ls r1/boot/initrd.img-*; $H initrd verify r1/boot/initrd.img-*; $H roots check r1");
        Assert.Equal("r0: default; r1: trial 3", States(disk));
        BootResult good = Boot(disk, "trial-good");
        Assert.Contains(" subroot=r1 ", good["commandline"], StringComparison.Ordinal);
        Assert.Equal("running", good["state"]);
        Assert.Equal("r0: rollback; r1: default", States(disk));
        Assert.Equal($"mine mine {Machine}\n", ImageWorld.Edit(disk, "cd r1/etc; echo $(cat edited hostname machine-id)"));

        // One check fails. Its words are kept, and the next boot is that of the root before.
        DeployBad(disk, "r2", "mkdir -p etc/hacktree/health.d; cd etc/hacktree/health.d; printf '#!/bin/sh\necho planted; exit 7\n' > 10-planted; chmod 755 10-planted");
        _ = Run(disk, "trial-check");
        Assert.Equal("r0: rollback; r1: default; r2: failed /etc/hacktree/health.d/10-planted ended with 7: planted", States(disk));

        // A root without the loader of its programs: the kernel panics, which counts as a try.
        DeployBad(disk, "r3", "rm usr/lib64/ld-linux-x86-64.so.2", "could not be updated");
        BootResult panic = Run(disk, "trial-panic");
        Assert.Contains("Kernel panic", panic.Log, StringComparison.Ordinal);
        Assert.EndsWith("r3: failed it did not start far enough to say that it is good", States(disk), StringComparison.Ordinal);

        // A start that never ends: the deadline restarts the machine.
        const string Hang = "[Unit]\\nBefore=multi-user.target\\n[Service]\\nType=oneshot\\nExecStart=/bin/sleep infinity\\n";
        DeployBad(disk, "r4", $"cd etc/systemd/system; printf '{Hang}' > hang.service; ln -s ../hang.service multi-user.target.wants/hang.service");
        BootResult hang = Run(disk, "trial-hang", "-smbios", "type=11,value=hacktree::subroot.deadline=60");
        Assert.Contains("reboot: Restarting system", hang.Log, StringComparison.Ordinal);
        Assert.Matches("r4: failed it was not good 60 s after its start; not done: .*hang.service", States(disk));

        // A filesystem that cannot be mounted: emergency mode, with nobody there.
        DeployBad(disk, "r5", "echo 'tmpfs /srv tmpfs nonsense=1 0 0' >> etc/fstab");
        BootResult emergency = Run(disk, "trial-emergency");
        Assert.Contains("reboot: Restarting system", emergency.Log, StringComparison.Ordinal);
        Assert.EndsWith("r5: failed it came to emergency or rescue mode; failed: srv.mount", States(disk), StringComparison.Ordinal);

        // systemd gives up: there is no target that it could start.
        DeployBad(disk, "r6", "ln -sf /dev/null etc/systemd/system/default.target; ln -sf /dev/null etc/systemd/system/rescue.target");
        BootResult crash = Run(disk, "trial-crash");
        Assert.Contains("Rebooting in 10s", crash.Log, StringComparison.Ordinal);

        // systemd hangs, and its deadline with it: the watchdog restarts the machine.
        const string Freeze = "[Service]\\nType=oneshot\\nExecStart=/bin/sh -c \"modprobe softdog; sleep 2; echo 1 > /sys/fs/cgroup/init.scope/cgroup.freeze\"\\n";
        DeployBad(disk, "r7", $"cd etc/systemd/system; printf '{Freeze}' > freeze.service; ln -s ../freeze.service multi-user.target.wants/freeze.service");
        BootResult freeze = Run(disk, "trial-watchdog");
        Assert.Contains("softdog: Initiating system reboot", freeze.Log, StringComparison.Ordinal);

        // An init that went after the deploy: the initrd enters the root before, in the same boot.
        DeployBad(disk, "r8", ":");
        ImageWorld.Edit(disk, "rm r8/usr/sbin/init");
        BootResult other = Boot(disk, "trial-no-init");
        Assert.Contains(" subroot=r8 ", other["commandline"], StringComparison.Ordinal);
        Assert.Contains("booting r1 instead", other["said"], StringComparison.Ordinal);
        Assert.EndsWith("r8: failed its initrd could not enter it: /r8 has no /sbin/init", States(disk), StringComparison.Ordinal);
        Assert.EndsWith(" subroot=r1", Boot(disk, "trial-back")["commandline"].TrimEnd(), StringComparison.Ordinal);

        Assert.Equal("r1\nr0\n", ImageWorld.Edit(disk, "$H rollback; $H rollback"));
        Assert.StartsWith("r0: default; r1: rollback", States(disk), StringComparison.Ordinal);
    }

    /// <summary>
    /// Deploys a commit with a change, to be tried once. The script of the change runs in a copy of the good root. If words are given, deploy must refuse
    /// the commit with them, and is forced. The root is pinned, so that no later deploy turns it into its own.
    /// </summary>
    private static void DeployBad(string disk, string root, string change, string? refusal = null)
    {
        string forced = refusal is null ? "" : $"$H deploy -q bad 2> refused && exit 9; grep -q '{refusal}' refused; ";
        string script = $"$H checkout -q --copy debian/bookworm bad; (cd bad; {change}); $H commit -q -b bad bad > /dev/null; $H roots rm bad; "
            + $"{forced}$H deploy -q --tries 1 {(refusal is null ? "" : "--force")} bad; $H roots pin -q {root}";
        Assert.Equal($"{root}\n", ImageWorld.Edit(disk, script));
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
