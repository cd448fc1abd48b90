using System.Diagnostics;
using System.Globalization;
using HackTree.Boot;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;
using PhysicalRoot = HackTree.Tests.Crash.PhysicalRoot;

namespace HackTree.Tests.Boot;

/// <summary>
/// Power cuts of a machine in QEMU while it deploys, and a start after each: `make power-cuts`, which takes a minute a cut. The machine's disk notes
/// what is written, so that one run of the machine can be cut off at many moments.
/// </summary>
[Collection(BootCollection.Name)]
public sealed class PowerCutBootTests : IDisposable
{
    /// <summary>The option of the starts after a cut.</summary>
    private const string AfterCut = "after-the-cut";

    private const string CheckScript =
        Qemu.ScriptHead +
        $"""
        if grep -q {AfterCut} /proc/cmdline; then
            systemctl is-system-running --wait > /dev/null
            say commandline "$(cat /proc/cmdline)"
            say status "$(hacktree status --json)"
            say fsck "$(hacktree fsck -q 2>&1; echo $?)"
            say check "$(hacktree roots check $(grep -o 'subroot=[^ ]*' /proc/cmdline | cut -d = -f 2) > /dev/null 2>&1; echo $?)"
            systemctl poweroff
            exit
        fi
        say begin now
        hacktree deploy -q debian/bookworm
        hacktree rollback
        hacktree deploy -q debian/bookworm
        say end "$(hacktree status --json)"
        """;

    private readonly ImageWorld world = new();

    /// <summary>How many cuts are tried: $HACKTREE_POWER_CUTS.</summary>
    private static int Cuts => int.TryParse(Environment.GetEnvironmentVariable("HACKTREE_POWER_CUTS"), CultureInfo.InvariantCulture, out int given) ? given : 30;

    public void Dispose() => world.Dispose();

    [Fact(Explicit = true)]
    public void After_a_cut_at_any_moment_the_machine_boots_the_old_root_or_tries_the_new_one()
    {
        ImageWorld.Require();
        Qemu.Require();
        string disk = world.MakeDisk(world.MakeTreeWithProgram(CheckScript));

        // Not the default of the menu: that would boot without an environment too.
        ImageWorld.Edit(disk, "$H checkout -q --boot debian/bookworm r1; $H default r1");
        var log = new WriteLog(disk);
        (int begin, int end) = RunAndCutOff(disk, log);
        var random = new Random(PhysicalRoot.Seed);
        var booted = new SortedDictionary<string, int>();
        log.ForEachCut(Enumerable.Range(0, Cuts).Select(_ => random.Next(begin, end + 1)), random, (moment, picture) =>
        {
            string root = BootAfterCut(picture, $"moment {moment} from {begin} to {end}");
            booted[root] = booted.GetValueOrDefault(root) + 1;
        });
        File.WriteAllText(Path.Combine(Repository.Root, "out", "power-cuts"), $"{Cuts} cuts; booted: {string.Join(", ", booted)}\n");
    }

    /// <summary>Runs the machine while it deploys, and kills it. Returns the moments at which the deploys began and had ended.</summary>
    private (int Begin, int End) RunAndCutOff(string disk, WriteLog log)
    {
        string checks = world.At("checks");
        string drive = $"driver=blklogwrites,file.driver=file,file.filename={disk},log.driver=file,log.filename={log.Path},log-append=off,if=virtio";
        string[] machine =
        [
            "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "1", "-m", "1024", "-display", "none", "-monitor", "none", "-nic", "none",
            "-serial", "null", "-serial", $"file:{checks}", "-drive", drive,
        ];
        using Process process = Process.Start(Tools.Find("qemu-system-x86_64")!, machine);
        int WaitFor(string fact)
        {
            for (int i = 0; i < 600 && !(File.Exists(checks) && File.ReadAllText(checks).Contains($"CHECK {fact}=", StringComparison.Ordinal)); i++)
            {
                Assert.False(process.WaitForExit(1000), "the machine ended by itself");
            }

            return log.Flushed;
        }

        try
        {
            (int, int) moments = (WaitFor("begin"), WaitFor("end"));
            Assert.Contains("CHECK end=[", File.ReadAllText(checks), StringComparison.Ordinal);
            return moments;
        }
        finally
        {
            process.Kill();
            process.WaitForExit();
        }
    }

    /// <summary>Starts the machine after a cut, and looks at its disk. Returns the root that it booted.</summary>
    private static string BootAfterCut(string picture, string when)
    {
        BootResult boot = Qemu.Run("power-cut", [.. ImageWorld.Drive(picture), "-smbios", $"type=11,value=hacktree::{AfterCut}"]);
        Assert.True(boot["fsck"] == "0", $"{when}: {boot["fsck"]}");
        Assert.True(boot["check"] == "0", $"{when}: {boot["check"]}");
        string root = boot["commandline"].Split(' ').Last(word => word.StartsWith("subroot=", StringComparison.Ordinal));
        Assert.True(root == "subroot=r1" || boot["commandline"].Contains(" subroot.trial subroot.fallback=r1 ", StringComparison.Ordinal), $"{when}: {boot["commandline"]}");

        // Mounted once more, the filesystem has no journal to replay.
        ImageWorld.Edit(picture, "true");
        using (FileStream file = File.OpenRead(picture))
        {
            Assert.True(PartitionTable.TryRead(file, out List<Partition>? partitions, out _));
            Tools.Run("e2fsck", "-fn", $"{picture}?offset={Assert.Single(partitions).Offset}").Succeeded();
        }

        return root;
    }
}
