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
        $$"""
        if grep -qa {{AfterCut}} /sys/firmware/dmi/tables/DMI; then
            systemctl is-system-running --wait > /dev/null
            say commandline "$(cat /proc/cmdline)"
            say status "$(hacktree status --json)"
            say check "$(hacktree roots check $(grep -o 'subroot=[^ ]*' /proc/cmdline | cut -d = -f 2) > /dev/null 2>&1; echo $?)"
            say again "$(hacktree deploy -q debian/bookworm 2>&1 > /dev/null; echo $?)"
            systemctl poweroff
            exit
        fi
        step() { "$@"; say "step$((number += 1))" $?; sleep 5; }
        number=-1
        step true
        step hacktree deploy -q debian/bookworm
        step hacktree rollback
        step hacktree kargs $(hacktree status | grep -o '^r[0-9]* .*default' | cut -d ' ' -f 1) --append audit=0
        step hacktree deploy -q debian/bookworm
        """;

    /// <summary>
    /// What the machine boots after each step of the script: the usual root as it was, the one on trial, or the usual root with its new option.
    /// </summary>
    private static readonly string[] States = ["usual", "trial", "usual", "usual audit=0", "trial"];

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
        Recording recorded = RunAndCutOff(disk, []);
        ForEachCut(recorded, Starts, recorded.AnyMoment, (cut, picture) => Count(booted, BootAfterCut(picture, "r1", [], cut)));
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
        Recording recorded = RunAndCutOff(disk, ImageWorld.Firmware);

        // Of all writes, few are those of entries.
        Partition efi = Partitions(disk)[0];
        List<int> entries = recorded.Log.WritesIn(efi.Offset, efi.Length).FindAll(moment => moment > recorded.Ends[0] && moment <= recorded.Ends[^1]);
        Assert.InRange(entries.Count, 10, int.MaxValue);
        int Moment(Random random) => random.Next(2) == 0 ? entries[random.Next(entries.Count)] : recorded.AnyMoment(random);
        ForEachCut(recorded, Starts * LooksForStart, Moment, (cut, picture) =>
        {
            Count(first, LookAfterCut(picture, cut));
            if (number++ % LooksForStart == 0)
            {
                Count(booted, BootAfterCut(picture, "r0", ImageWorld.Firmware, cut));
                SystemdBootModel.Peek(CopyEfi(picture));
            }
        });
        Report($"systemd-boot: {number} cuts; first entry: {string.Join(", ", first)}; booted: {string.Join(", ", booted)}");
    }

    /// <summary>Shows what is on the disk after power cuts.</summary>
    private static void ForEachCut(Recording recorded, int cuts, Func<Random, int> next, Action<Cut, string> look)
    {
        var random = new Random(PhysicalRoot.Seed);
        int[] moments = [.. Enumerable.Range(0, cuts).Select(_ => next(random))];
        recorded.Log.ForEachCut(moments, random, (moment, picture) => look(recorded.CutAt(moment), picture));
    }

    /// <summary>Runs the machine while it deploys, and kills it.</summary>
    private Recording RunAndCutOff(string disk, string[] firmware)
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
            for (int i = 0; i < 600 && !(File.Exists(checks) && File.ReadAllText(checks).Contains($"CHECK {fact}=0", StringComparison.Ordinal)); i++)
            {
                Assert.False(process.WaitForExit(1000), "the machine ended by itself");
            }

            Assert.Contains($"CHECK {fact}=0", File.ReadAllText(checks), StringComparison.Ordinal);
            return log.Flushed;
        }

        try
        {
            return new Recording(log, [.. States.Select((_, step) => WaitFor($"step{step}"))]);
        }
        finally
        {
            process.Kill();
            process.WaitForExit();
        }
    }

    /// <summary>Starts the machine after a cut, deploys in it, and looks at its disk. Returns the root that it booted.</summary>
    private static string BootAfterCut(string picture, string usual, string[] firmware, Cut cut)
    {
        BootResult boot = Qemu.Run("power-cut", [.. ImageWorld.Drive(picture), "-smbios", $"type=11,value=hacktree::{AfterCut}", .. firmware]);
        foreach (string fact in (string[])["check", "again"])
        {
            Assert.True(boot[fact] == "0", $"{cut.When}, {fact}: {boot[fact]}");
        }

        string root = RootIn(boot["commandline"], usual, cut);

        // Mounted once more, the filesystem has no journal to replay.
        ImageWorld.Edit(picture, "$H fsck -q");
        Tools.Run("e2fsck", "-fn", $"{picture}?offset={Partitions(picture)[^1].Offset}").Succeeded();
        return root;
    }

    /// <summary>Looks at a disk with systemd-boot after a cut, without starting it. Returns the root that the loader would boot.</summary>
    private string LookAfterCut(string picture, Cut cut)
    {
        string root = RootIn(SystemdBootModel.Peek(CopyEfi(picture)), "r0", cut);
        RootIn(SystemdBootModel.Peek(CopyEfi(picture, isChecked: true)), "r0", cut);

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

    /// <summary>The root of a kernel's command line, which is one that may boot after that cut.</summary>
    private static string RootIn(string commandLine, string usual, Cut cut)
    {
        string root = Subroot().Matches(commandLine)[^1].Groups[1].Value;
        bool isTrial = commandLine.Contains($" subroot.trial subroot.fallback={usual} ", StringComparison.Ordinal);
        string state = isTrial ? "trial" : root != usual ? root : commandLine.Contains(" audit=0", StringComparison.Ordinal) ? "usual audit=0" : "usual";
        Assert.True(cut.Allowed.Contains(state), $"{cut.When}: {state}, and not {string.Join(" or ", cut.Allowed)}: {commandLine}");
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

    /// <summary>What a machine wrote.</summary>
    /// <param name="Log">Its writes.</param>
    /// <param name="Ends">How much of that was durable at the end of each step.</param>
    private sealed record Recording(WriteLog Log, int[] Ends)
    {
        internal int AnyMoment(Random random) => random.Next(Ends[0], Ends[^1] + 1);

        /// <summary>A step that has ended stays; of the next one, all or nothing is there.</summary>
        internal Cut CutAt(int moment)
        {
            int ended = Array.FindLastIndex(Ends, end => end <= moment);
            string when = $"moment {moment}, after step {ended}, which ends at {Ends[ended]}; seed {PhysicalRoot.Seed}";
            return new Cut(when, States[ended..Math.Min(ended + 2, States.Length)]);
        }
    }

    /// <summary>A power cut.</summary>
    /// <param name="When">When it comes, in words.</param>
    /// <param name="Allowed">What the machine may boot after it.</param>
    private sealed record Cut(string When, string[] Allowed);

    [GeneratedRegex("(?<= )subroot=([^ ;]+)")]
    private static partial Regex Subroot();
}
