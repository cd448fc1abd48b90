using HackTree.Boot;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>Deploys on a disk with systemd-boot that nothing boots: a filesystem of its own stands for the EFI system partition.</summary>
public sealed class SystemdBootDeployTests : IDisposable
{
    private readonly DeployWorld world = new();

    public SystemdBootDeployTests()
    {
        Directory.CreateDirectory(Efi);
        Tools.Run("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", Efi).Succeeded();
        File.Delete(world.At("disk/boot/grub/grub.cfg"));
        new BootMenu(DeployWorld.Kernel, ["r0"], "r0", "root=UUID=1 ro quiet", 5).WriteLoaderFiles(Efi, world.At("disk/boot"));
    }

    private string Efi => world.At("disk/boot/efi");

    public void Dispose()
    {
        Tools.Run("umount", "-l", Efi);
        world.Dispose();
    }

    [Fact]
    public void The_commands_write_the_loaders_entries()
    {
        Assert.Equal("r1\n", world.Shell("$H deploy -q --force os"));
        Assert.Equal("r0: default; r1: trial 3", world.States());
        Assert.Equal("root=UUID=1 ro quiet subroot=r1 subroot.trial subroot.fallback=r0 panic=10", SystemdBootModel.Start(Efi));
        Assert.Equal("r0: default; r1: trial 2", world.States());

        // Options of one root, and a root that the loader does not know.
        Assert.Equal("quiet audit=0\n", world.Shell("$H kargs r1 --append audit=0"));
        Assert.Equal("quiet\n", world.Shell("$H kargs r0"));
        Assert.Equal("root=UUID=1 ro quiet audit=0 subroot=r1 subroot.trial subroot.fallback=r0 panic=10", SystemdBootModel.Start(Efi));
        world.Shell("$H checkout -q --boot os r5; $H default r5");
        Assert.Equal("root=UUID=1 ro quiet subroot=r5", SystemdBootModel.Start(Efi));
        Assert.Equal("r0: rollback; r1: spare; r5: default", world.States());
        Assert.Equal("r0\n", world.Shell("$H rollback"));
        Assert.Equal("root=UUID=1 ro quiet subroot=r0", SystemdBootModel.Start(Efi));
        world.Shell("$H roots rm r5");
        Assert.Equal("r0-1.conf", Path.GetFileName(Assert.Single(Directory.GetFiles(Path.Combine(Efi, "loader/entries")))));
    }

    [Fact]
    public void A_deploy_without_space_for_the_kernel_is_refused_before_anything_is_made()
    {
        world.Shell("head -c 20M /dev/zero > boot/vmlinuz-$(cd $T/usr/lib/modules; ls)");
        ToolResult run = world.Try("$H deploy -q --dry-run --force os");
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("boot/efi: the kernel and the initrd take ", run.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(world.At("disk/r1")));
    }

    [Fact]
    public void A_deploy_that_is_killed_at_any_change_of_the_partition_leaves_a_machine_that_boots_the_old_root_or_tries_the_new_one()
    {
        Tools.Require("strace");
        int tried = 0;
        bool isKilled = true;
        for (int number = 1; isKilled; number++)
        {
            // Each has another initrd, so that there is something to copy and to remove.
            const string initrd = $"boot/initrd.img-{DeployWorld.Kernel}";
            world.Shell($"echo {number} > n; (cat $T/{initrd}; gzip < n) > {initrd}; touch -d @$((2000000000 + {number})) {initrd}");
            const string calls = "renameat,renameat2,unlink,unlinkat,rmdir";
            string entries = Path.Combine(Efi, "loader/entries");
            string[] files = [entries, .. Enumerable.Range(0, 20).SelectMany(root => new[] { $"{entries}/r{root}.conf", $"{entries}/r{root}+3.conf" })];
            string[] copies = Directory.GetFileSystemEntries(Path.Combine(Efi, "hacktree"), "*", SearchOption.AllDirectories);
            string paths = string.Join(' ', files.Concat(copies).Select(path => $"-P {path}"));
            ToolResult run = world.Try($"strace -f -qq -o /dev/null {paths} -e trace={calls} -e inject={calls}:signal=KILL:when={number} $H deploy -q --force os");
            isKilled = run.ExitCode != 0;
            Assert.True(run.ExitCode is 0 or 137, run.Error);
            string options = SystemdBootModel.Peek(Efi);
            bool isTried = options.EndsWith(" subroot.trial subroot.fallback=r0 panic=10", StringComparison.Ordinal);
            Assert.True(isTried || options == "root=UUID=1 ro quiet subroot=r0", options);
            Assert.Contains("r0: default", world.States(), StringComparison.Ordinal);
            tried += isTried ? 1 : 0;
            world.Shell("$H default r0");
            Assert.True(number < 30, "it is never done");
        }

        Assert.InRange(tried, 2, 10);
        Assert.Empty(Directory.GetFiles(Efi, "*.partial", SearchOption.AllDirectories));
    }
}
