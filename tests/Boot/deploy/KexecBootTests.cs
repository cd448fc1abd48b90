namespace HackTree.Tests.Boot;

/// <summary>
/// `deploy --kexec`, in one run of a machine that would end with a restart: r0 starts r1 by kexec, which is good, and that starts r2, whose kernel panics.
/// `make test-kexec` runs it.
/// </summary>
[Collection(BootCollection.Name)]
public sealed class KexecBootTests : IDisposable
{
    private const string CheckScript =
        Qemu.ScriptHead +
        """
        systemctl is-system-running --wait > /dev/null
        if grep -q ' subroot=r0' /proc/cmdline; then
            say first "$(cat /proc/cmdline)"
            hacktree deploy -q --kexec --tries 1 debian/bookworm
            exit
        fi
        say commandline "$(cat /proc/cmdline)"
        say root "$(findmnt -n -o SOURCE /)"
        say state "$(systemctl is-system-running)"
        say status "$(hacktree status --json)"
        hacktree deploy -q --kexec --tries 2 --force bad
        """;

    private readonly ImageWorld world = new();

    public void Dispose() => world.Dispose();

    [Fact(Explicit = true)]
    public void A_root_is_started_by_kexec_and_from_a_bad_one_the_firmware_comes_back_to_the_loader()
    {
        ImageWorld.Require();
        Qemu.Require();
        string disk = world.MakeDisk(world.MakeTreeWithProgram(CheckScript));
        ImageWorld.Edit(disk, "$H checkout -q --copy debian/bookworm bad; rm bad/usr/lib64/ld-linux-x86-64.so.2; $H commit -q -b bad bad > /dev/null; $H roots rm bad");

        BootResult boot = Qemu.Run("kexec", ImageWorld.Drive(disk));
        Assert.DoesNotContain(" subroot.trial", boot["first"], StringComparison.Ordinal);
        Assert.EndsWith(" subroot=r1 subroot.trial subroot.fallback=r0 panic=10", boot["commandline"].TrimEnd(), StringComparison.Ordinal);
        Assert.EndsWith("[/r1]", boot["root"], StringComparison.Ordinal);
        Assert.Equal("running", boot["state"]);
        Assert.Equal("r0: rollback; r1: default", DeployWorld.StatesIn(boot["status"]));

        // The panic ended the run. The start by kexec was the first of two tries, and the boot loader has the other one.
        Assert.Equal(3, boot.Log.Split("] Linux version ").Length - 1);
        Assert.Contains("Kernel panic", boot.Log, StringComparison.Ordinal);
        Assert.Equal("r0: rollback; r1: default; r2: trial 1", DeployWorld.StatesIn(ImageWorld.Edit(disk, "$H status --json")));
    }
}
