using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using HackTree.Boot;
using HackTree.Tests.Support;
using PhysicalRoot = HackTree.Tests.Crash.PhysicalRoot;

namespace HackTree.Tests.Boot;

/// <summary>
/// Power cuts of a machine with GRUB while it deploys. GRUB reads the disk as it is: it replays no journal. So each cut is looked at twice, first with
/// GRUB's own code (grub-fstest), and then after the kernel replayed the journal.
/// </summary>
public sealed class DeployPowerCutTests : IDisposable
{
    private const string NewKernel = "6.1.0-11-own";

    private readonly string folder = Path.Combine("/dev/shm", $"hacktree-{Guid.NewGuid():N}");
    private readonly DeployWorld world;
    private readonly string image;

    public DeployPowerCutTests()
    {
        Tools.Require("mkfs.ext4", "e2fsck", "grub-fstest", "qemu-storage-daemon");
        Directory.CreateDirectory(folder);
        image = Path.Combine(folder, "disk");
        using (FileStream file = File.Create(image))
        {
            file.SetLength(128L << 20);
        }

        Tools.Run("mkfs.ext4", "-qF", image).Succeeded();
        world = new DeployWorld(disk => Tools.Run("mount", "-o", "loop", image, disk).Succeeded());
    }

    private string Disk => world.At("disk");

    public void Dispose()
    {
        Tools.Run("umount", "-l", Disk);
        world.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void After_a_cut_at_any_moment_the_old_root_boots_or_the_new_one_is_tried()
    {
        // Not the default of the menu: that would boot without an environment too.
        world.Shell(
            $"""
            $H deploy -q --force os; $H default r1; $H roots rm r0
            for d in $(seq 20); do mkdir $T/usr/lib/d$d; for f in $(seq 15); do echo $d $f > $T/usr/lib/d$d/f$f; done; done
            mkdir $T/usr/lib/modules/{NewKernel}; head -c 3M /dev/urandom > $T/boot/vmlinuz-{NewKernel}
            for i in $(seq 200); do cat $T/boot/initrd.img-{DeployWorld.Kernel}; done > $T/boot/initrd.img-{NewKernel}
            $H commit -q -b os $T
            """);
        Tools.Unmount(Disk);
        using var disk = new RecordedDisk(image);
        Tools.Run("mount", "-o", "loop", disk.Path, Disk).Succeeded();

        // What boots before and after each command, and which writes belong to the command.
        var states = new List<(string Default, string? Trial)> { ("r1", null) };
        var begins = new List<int> { 0 };
        var ends = new List<int> { disk.Log.Flushed };
        void Step(string command, string usual, string? trial)
        {
            begins.Add(disk.Log.Flushed);
            world.Shell(command);
            ends.Add(disk.Log.Flushed);
            states.Add((usual, trial));
        }

        Step("$H deploy -q --force os", "r1", "r0");
        Step("$H default r1", "r1", null);
        Step("$H checkout -q --boot os r5; $H default r5", "r5", null);
        Step("$H deploy -q --force os", "r5", "r2");
        Step("$H default r2", "r2", null);

        // Of r0 and r1, which nothing calls for any more, the older one is turned into the new root.
        Step("$H deploy -q --force os; [ ! -e r1 ]", "r2", "r3");
        Tools.Unmount(Disk);
        disk.Finish();
        int seed = PhysicalRoot.Seed, end = disk.Log.Flushed;
        var random = new Random(seed);
        IEnumerable<int> moments = Enumerable.Range(0, PhysicalRoot.Rounds(30)).Select(_ => random.Next(end)).Append(end);
        disk.Log.ForEachCut(moments, random, (moment, picture) =>
        {
            int step = begins.FindLastIndex(begin => begin <= moment);
            (string, string?)[] allowed = moment < ends[step] && step > 0 ? [states[step - 1], states[step]] : [states[step]];
            CheckAfterCut(picture, allowed, $"moment {moment} of {end}, step {step}, seed {seed}");
        });
    }

    private void CheckAfterCut(string picture, (string Default, string? Trial)[] allowed, string when)
    {
        (string Default, string? Trial) choice = WhatGrubBoots(picture, when);
        Assert.True(allowed.Contains(choice), $"{when}: GRUB boots {choice}, and not one of {string.Join(", ", allowed)}");
        Tools.Run("mount", "-o", "loop", picture, Disk).Succeeded();
        try
        {
            string states = world.States();
            Assert.True(states.Contains($"{choice.Default}: default", StringComparison.Ordinal), $"{when}: {states}");
            Assert.Equal(choice.Trial is not null, states.Contains($"{choice.Trial}: trial 3", StringComparison.Ordinal));
            world.Shell("$H fsck -q");
            foreach (string root in new[] { choice.Default, choice.Trial }.OfType<string>())
            {
                world.Shell($"$H roots check {root}; {(root == "r1" ? "" : $"diff -r --no-dereference {root}/usr $T/usr; diff -r {root}/boot $T/boot")}");
            }
        }
        finally
        {
            Tools.Unmount(Disk);
        }

        Tools.Run("e2fsck", "-fn", picture).Succeeded();
    }

    /// <summary>The default and the root on trial as the menu finds them. Their kernels are there for GRUB too.</summary>
    private (string Default, string? Trial) WhatGrubBoots(string picture, string when)
    {
        byte[] block = ReadByGrub(picture, "/boot/grub/grubenv");
        string text = Encoding.Latin1.GetString(block);
        Assert.True(block.Length == GrubMenu.EmptyEnvironment.Length && text.StartsWith("# GRUB Environment Block\n", StringComparison.Ordinal), $"{when}: GRUB has no environment");
        string usual = Value(text, GrubMenu.DefaultName) ?? "the menu's";
        string? trial = Value(text, GrubMenu.TrialName);
        bool isTried = trial is not null && int.Parse(Value(text, GrubMenu.TriesName)!, CultureInfo.InvariantCulture) > 0;
        foreach (string root in isTried ? new[] { usual, trial! } : [usual])
        {
            string kernel = root == "r1" ? DeployWorld.Kernel : NewKernel;
            ToolResult modules = Tools.Run("grub-fstest", picture, "ls", $"/{root}/usr/lib/modules/");
            Assert.True(modules.Output.Contains($"{kernel}/", StringComparison.Ordinal), $"{when}: {root} has no {kernel} for GRUB: {modules}");
            foreach (string name in new[] { $"boot/vmlinuz-{kernel}", $"boot/initrd.img-{kernel}" })
            {
                Assert.Equal(File.ReadAllBytes(Path.Combine(world.Tree, name)), ReadByGrub(picture, $"/{root}/{name}"));
            }
        }

        return (usual, isTried ? trial : null);
    }

    private byte[] ReadByGrub(string picture, string path)
    {
        string copy = Path.Combine(folder, "copy");
        Tools.Run("grub-fstest", picture, "cp", path, copy).Succeeded();
        return File.ReadAllBytes(copy);
    }

    private static string? Value(string block, string name) =>
        Regex.Match(block, $"^{name}=(.+)$", RegexOptions.Multiline) is { Success: true } match ? match.Groups[1].Value : null;
}
