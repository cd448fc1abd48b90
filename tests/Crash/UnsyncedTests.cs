using System.Diagnostics;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>What memory holds and the disk does not: while a commit waits for its sync, and after one that failed.</summary>
public sealed class UnsyncedTests
{
    [Theory]
    [InlineData("ext4")]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public void While_a_commit_waits_for_its_sync_a_power_cut_leaves_none_that_could_be_named(string type)
    {
        Hacktree.Require();
        Tools.Require("strace", $"mkfs.{type}");
        using var host = new LoopFilesystem("xfs", 3000);
        SourceTree.Make(host.At("source"), 11);
        string image = host.At("image");
        using (FileStream file = File.Create(image))
        {
            file.SetLength(400L << 20);
        }

        Tools.Run($"mkfs.{type}", type == "ext4" ? "-qF" : "-qf", image).Succeeded();
        var pictures = new List<string>();
        using (var disk = new LoopFilesystem(type, image))
        {
            disk.Mount();
            var root = new PhysicalRoot(disk.Path);
            string[] delay = ["-f", "-qq", "-o", host.At("trace"), "-e", "trace=syncfs", "-e", "inject=syncfs:delay_enter=2000000", Hacktree.Path];
            string[] commit = [.. delay, "--quiet", .. root.Arguments("commit", "-b", "main", host.At("source"))];
            using Process process = Process.Start(new ProcessStartInfo("strace", commit) { RedirectStandardOutput = true })!;
            while (!process.WaitForExit(400))
            {
                PowerCutTests.SyncSomethingElse(disk);
                pictures.Add(host.At($"picture{pictures.Count}"));
                PowerCutTests.Clone(image, pictures[^1]);
            }

            Assert.Equal(0, process.ExitCode);
        }

        Assert.NotEmpty(pictures);
        foreach (string picture in pictures)
        {
            using var after = new LoopFilesystem(type, picture);
            after.Mount();
            new PhysicalRoot(after.Path).AssertEveryCommitWhole();
        }
    }

    [Fact]
    public void After_a_sync_that_failed_objects_are_read_from_the_disk_and_not_from_memory()
    {
        Hacktree.Require();
        using var host = new TempDirectory();
        using var disk = new LoopFilesystem("ext4", 100);
        var root = new PhysicalRoot(disk.Path);
        byte[] content = Content.Of(4096);
        Directory.CreateDirectory(host.At("source"));
        File.WriteAllBytes(host.At("source/file"), content);
        root.Ok("commit", "-b", "main", host.At("source"));
        Tools.Run("sync", "-f", disk.Path).Succeeded();

        // What was to be written stays in the page cache, clean, and the disk has something else; the mark stays too.
        using (FileStream image = File.Open(disk.Image, FileMode.Open))
        {
            byte[] all = new byte[image.Length];
            image.ReadExactly(all);
            image.Position = all.AsSpan().IndexOf(content);
            image.Write(new byte[4096]);
        }

        File.WriteAllText($"{root.Store}/tmp/unsynced-by-somebody", "");
        root.Ok("commit", "-b", "main", host.At("source"));
        disk.Unmount();
        disk.Mount();
        root.AssertSound();
    }
}
