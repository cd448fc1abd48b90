using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using HackTree.Boot;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;
using PhysicalRoot = HackTree.Tests.Crash.PhysicalRoot;

namespace HackTree.Tests.Boot;

/// <summary>
/// Power cuts of a machine in QEMU while it deploys, and a start after each: `make power-cuts`, which takes a minute a cut. The machine's disk notes
/// what is written, so that one run of the machine can be cut off at many moments. With systemd-boot the entries are on FAT, which has no journal,
/// and which the kernel of a machine that runs tests may not know: there, mtools and a model of the loader look at more cuts than are started.
/// </summary>
[Collection(BootCollection.Name)]
public sealed partial class PowerCutBootTests : IDisposable
{
    /// <summary>What the firmware of a start after a cut tells the guest's script.</summary>
    private const string AfterCut = "after-the-cut";

    /// <summary>How many cuts of systemd-boot's disk are looked at for each that is started.</summary>
    private const int LooksForStart = 5;

    private const string CheckScript =
        Qemu.ScriptHead +
        $"""
        if grep -qa {AfterCut} /sys/firmware/dmi/tables/DMI; then
            systemctl is-system-running --wait > /dev/null
            say commandline "$(cat /proc/cmdline)"
            say status "$(hacktree status --json)"
            say check "$(hacktree roots check $(grep -o 'subroot=[^ ]*' /proc/cmdline | cut -d = -f 2) > /dev/null 2>&1; echo $?)"
            say again "$(hacktree deploy -q debian/bookworm 2>&1 > /dev/null; echo $?)"
            systemctl poweroff
            exit
        fi
        say begin now
        hacktree deploy -q debian/bookworm
        hacktree rollback
        hacktree kargs $(hacktree status | grep -o '^r[0-9]* .*default' | cut -d ' ' -f 1) --append audit=0
        hacktree deploy -q debian/bookworm
        say end "$(hacktree status --json)"
        """;

    private readonly ImageWorld world = new();

    /// <summary>How many starts are tried: $HACKTREE_POWER_CUTS.</summary>
    private static int Starts =>
        int.TryParse(Environment.GetEnvironmentVariable("HACKTREE_POWER_CUTS"), CultureInfo.InvariantCulture, out int given) ? given : 30;

    public void Dispose() => world.Dispose();

    [Fact(Explicit = true)]
    public void After_a_cut_at_any_moment_the_machine_boots_the_old_root_or_tries_the_new_one()
    {
        ImageWorld.Require();
        Qemu.Require();
        string disk = world.MakeDisk(world.MakeTreeWithProgram(CheckScript));

        // Not the default of the menu: that would boot without an environment too.
        ImageWorld.Edit(disk, "$H checkout -q --boot debian/bookworm r1; $H default r1");
        var booted = new SortedDictionary<string, int>();
        (WriteLog log, int begin, int end) = RunAndCutOff(disk, []);
        ForEachCut(log, Starts, random => random.Next(begin, end + 1), (when, picture) => Count(booted, BootAfterCut(picture, "r1", [], when)));
        Report($"GRUB: {Starts} cuts; booted: {string.Join(", ", booted)}");
    }

    [Fact(Explicit = true)]
    public void After_a_cut_at_any_moment_systemd_boot_starts_the_old_root_or_tries_the_new_one()
    {
        ImageWorld.RequireUefi();
        Qemu.Require();
        string disk = world.MakeDisk(world.MakeTreeWithProgram(CheckScript), "--uefi");
        SortedDictionary<string, int> first = [], booted = [];
        int number = 0;
        (WriteLog log, int begin, int end) = RunAndCutOff(disk, ImageWorld.Firmware);

        // Of all writes, few are those of entries.
        Partition efi = Partitions(disk)[0];
        List<int> entries = log.WritesIn(efi.Offset, efi.Length).FindAll(moment => moment > begin && moment <= end);
        Assert.InRange(entries.Count, 10, int.MaxValue);
        int Moment(Random random) => random.Next(2) == 0 ? entries[random.Next(entries.Count)] : random.Next(begin, end + 1);
        ForEachCut(log, Starts * LooksForStart, Moment, (when, picture) =>
        {
            Count(first, LookAfterCut(picture, when));
            if (number++ % LooksForStart == 0)
            {
                Count(booted, BootAfterCut(picture, "r0", ImageWorld.Firmware, when));
                SystemdBootModel.Peek(CopyEfi(picture));
            }
        });
        Report($"systemd-boot: {number} cuts; first entry: {string.Join(", ", first)}; booted: {string.Join(", ", booted)}");
    }

    /// <summary>Shows what is on the disk after power cuts.</summary>
    private static void ForEachCut(WriteLog log, int cuts, Func<Random, int> next, Action<string, string> look)
    {
        var random = new Random(PhysicalRoot.Seed);
        int[] moments = [.. Enumerable.Range(0, cuts).Select(_ => next(random))];
        log.ForEachCut(moments, random, (moment, picture) => look($"moment {moment}, seed {PhysicalRoot.Seed}", picture));
    }

    /// <summary>Runs the machine while it deploys, and kills it. Returns what it wrote, and the moments at which the deploys began and had ended.</summary>
    private (WriteLog Log, int Begin, int End) RunAndCutOff(string disk, string[] firmware)
    {
        var log = new WriteLog(disk);
        string checks = world.At("checks");
        string drive = $"driver=blklogwrites,file.driver=file,file.filename={disk},log.driver=file,log.filename={log.Path},log-append=off,if=virtio";
        string[] machine =
        [
            "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "1", "-m", "1024", "-display", "none", "-monitor", "none", "-nic", "none",
            "-serial", "null", "-serial", $"file:{checks}", "-drive", drive, .. firmware,
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
            (WriteLog, int, int) ran = (log, WaitFor("begin"), WaitFor("end"));
            Assert.Contains("CHECK end=[", File.ReadAllText(checks), StringComparison.Ordinal);
            return ran;
        }
        finally
        {
            process.Kill();
            process.WaitForExit();
        }
    }

    /// <summary>Starts the machine after a cut, deploys in it, and looks at its disk. Returns the root that it booted.</summary>
    private static string BootAfterCut(string picture, string usual, string[] firmware, string when)
    {
        BootResult boot = Qemu.Run("power-cut", [.. ImageWorld.Drive(picture), "-smbios", $"type=11,value=hacktree::{AfterCut}", .. firmware]);
        foreach (string fact in (string[])["check", "again"])
        {
            Assert.True(boot[fact] == "0", $"{when}, {fact}: {boot[fact]}");
        }

        string root = RootIn(boot["commandline"], usual, when);

        // Mounted once more, the filesystem has no journal to replay.
        ImageWorld.Edit(picture, "$H fsck -q");
        Tools.Run("e2fsck", "-fn", $"{picture}?offset={Partitions(picture)[^1].Offset}").Succeeded();
        return root;
    }

    /// <summary>Looks at a disk with systemd-boot after a cut, without starting it. Returns the root that the loader would boot.</summary>
    private string LookAfterCut(string picture, string when)
    {
        string root = RootIn(SystemdBootModel.Peek(CopyEfi(picture)), "r0", when);
        RootIn(SystemdBootModel.Peek(CopyEfi(picture, isChecked: true)), "r0", when);

        // The journal is replayed in a copy: the start comes after this.
        string copy = world.At("copy.img");
        Tools.Run("cp", "--sparse=always", picture, copy).Succeeded();
        ImageWorld.Edit(copy, $"$H fsck -q; $H roots check {root}");
        File.Delete(copy);
        return root;
    }

    /// <summary>
    /// Copies what the loader needs of the EFI system partition, and returns the directory. What cannot be read is left out, as the loader passes over
    /// it. Before that the partition may be mended as at the machine's start, by fsck.vfat.
    /// </summary>
    private string CopyEfi(string picture, bool isChecked = false)
    {
        string folder = world.At("efi"), partition = world.At("efi.img");
        CopyPartition(picture, partition);
        if (isChecked)
        {
            Assert.InRange(Tools.Run("fsck.vfat", "-a", partition).ExitCode, 0, 1);
        }

        Directory.CreateDirectory(folder);
        Directory.Delete(folder, recursive: true);
        Directory.CreateDirectory(folder);
        string listed = Tools.Run("mdir", "-b", "-/", "-i", partition, "::/loader", "::/hacktree").Succeeded();
        foreach (string name in listed.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(name => !name.EndsWith('/')))
        {
            string copy = Path.Combine(folder, name["::/".Length..]);
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            if (Tools.Run("mcopy", "-n", "-i", partition, name, copy).ExitCode != 0)
            {
                File.Delete(copy);
            }
        }

        return folder;
    }

    private static void CopyPartition(string disk, string copy)
    {
        Partition first = Partitions(disk)[0];
        using FileStream from = File.OpenRead(disk), to = File.Create(copy);
        from.Position = first.Offset;
        byte[] bytes = new byte[first.Length];
        from.ReadExactly(bytes);
        to.Write(bytes);
    }

    /// <summary>The root of a kernel's command line: the default, or one on trial that falls back to the default.</summary>
    private static string RootIn(string commandLine, string usual, string when)
    {
        string root = Subroot().Matches(commandLine)[^1].Groups[1].Value;
        Assert.True(root == usual || commandLine.Contains($" subroot.trial subroot.fallback={usual} ", StringComparison.Ordinal), $"{when}: {commandLine}");
        return root;
    }

    private static List<Partition> Partitions(string disk)
    {
        using FileStream file = File.OpenRead(disk);
        Assert.True(PartitionTable.TryRead(file, out List<Partition>? partitions, out string? error), error);
        return partitions;
    }

    private static void Count(SortedDictionary<string, int> counts, string root) => counts[root] = counts.GetValueOrDefault(root) + 1;

    private static void Report(string line) => File.AppendAllText(Path.Combine(Repository.Root, "out", "power-cuts"), $"{line}\n");

    [GeneratedRegex("(?<= )subroot=([^ ;]+)")]
    private static partial Regex Subroot();
}
