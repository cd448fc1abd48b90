using System.Diagnostics;
using System.Text;
using HackTree.Linux;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Crash;

/// <summary>
/// Power cuts: what the filesystem had given to its disk at a random moment is all that is left. The disk is an image file on XFS,
/// whose clone (FICLONE) is a picture of one instant, taken while the program runs.
/// </summary>
public sealed class PowerCutTests
{
    private const int Pictures = 8;

    [Theory]
    [InlineData("ext4")]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public void Whatever_was_lost_no_ref_names_what_is_not_whole_and_the_next_commit_mends_the_rest(string type)
    {
        Hacktree.Require();
        using var host = new LoopFilesystem("xfs", 3000);
        string image = Format(host, type);
        var random = new Random(PhysicalRoot.Seed);
        for (int round = 0; round < PhysicalRoot.Rounds(2); round++)
        {
            // Round by round: killed on the way, or left to finish.
            List<string> pictures = TakePictures(type, image, host, round, random, isKilled: round % 2 == 0);
            foreach (string picture in pictures)
            {
                CheckAfterPowerCut(type, picture, host.At("source"), round);
                File.Delete(picture);
            }
        }
    }

    [Fact]
    public void A_ref_that_a_command_said_it_set_is_there_after_the_power_is_back()
    {
        Hacktree.Require();
        using var host = new LoopFilesystem("xfs", 3000);
        foreach (string type in new[] { "ext4", "xfs", "btrfs" })
        {
            string image = Format(host, type);
            string picture = host.At("picture");
            string tip;
            using (var disk = new LoopFilesystem(type, image))
            {
                disk.Mount();
                var root = new PhysicalRoot(disk.Path);
                SourceTree.Make(host.At("source"), 5);
                tip = root.Ok("commit", "-b", "a/b/new", host.At("source"));
                root.Ok("refs", "set", "other", "a/b/new");
                root.Ok("refs", "delete", "main");
                Clone(image, picture);
            }

            using var after = new LoopFilesystem(type, picture);
            after.Mount();
            var found = new PhysicalRoot(after.Path);
            Assert.Equal([tip, tip, null], new[] { "a/b/new", "other", "main" }.Select(found.Tip));
            found.AssertSound();
            found.AssertHolds("other", Snapshot.Of(host.At("source")));
        }
    }

    [Theory]
    [InlineData("ext4")]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    public void A_root_is_old_or_new_or_not_there_and_gc_and_consuming_lose_nothing(string type)
    {
        Hacktree.Require();
        using var host = new LoopFilesystem("xfs", 3000);
        string image = Format(host, type);
        var random = new Random(PhysicalRoot.Seed);
        SortedDictionary<string, string> main = Snapshot.Of(host.At("source"));
        SortedDictionary<string, string> other, consumed;
        using (var disk = new LoopFilesystem(type, image))
        {
            disk.Mount();
            var root = new PhysicalRoot(disk.Path);
            other = SourceTree.Make(host.At("source"), 8);
            root.Ok("commit", "-b", "other", host.At("source"));
            root.Ok("checkout", "main", root.At("r0"));
            root.Ok("checkout", "main", root.At("r3"));
            SourceTree.Make(host.At("source"), 9);
            root.Ok("commit", "-b", "dropped", host.At("source"));
            root.Ok("refs", "delete", "dropped");
            consumed = SourceTree.Make(disk.At("eaten"), 10);
            Tools.Run("sync", "-f", disk.Path).Succeeded();
            disk.Unmount();
        }

        string[][] commands =
        [
            ["checkout", "main", "r1"], ["checkout", "--copy", "other", "r2"], ["checkout", "--force", "other", "r0"],
            ["commit", "-b", "eaten", "--consume", "eaten"], ["checkout", "--from", "r3", "other", "r4"],
            ["gc"], ["commit", "-b", "main", "r1"],

            // The next record makes durable that those of the removed and the replaced are gone.
            ["checkout", "--force", "main", "r0"], ["roots", "pin", "r0"], ["roots", "rm", "r2"], ["roots", "pin", "r4"],
        ];
        foreach (string picture in TakePictures(type, image, host, random, commands))
        {
            using var disk = new LoopFilesystem(type, picture);
            disk.Mount();
            var root = new PhysicalRoot(disk.Path);
            for (int round = 0; round < 2; round++)
            {
                AssertOneOf(root.At("r1"), main);
                AssertOneOf(root.At("r2"), other);
                AssertOneOf(root.At("r0"), main, other);
                AssertOneOf(root.At("r3"), main);
                AssertOneOf(root.At("r4"), other);
                Assert.True(Directory.Exists(root.At("r0")));
                ToolResult check = root.Run("fsck");
                Assert.DoesNotContain("needed by", check.Error + check.Output, StringComparison.Ordinal);
                if (root.Tip("eaten") is null)
                {
                    Snapshot.AssertSame(consumed, Snapshot.Of(disk.At(Directory.Exists(disk.At("eaten")) ? "eaten" : ".eaten.consumed/tree")));
                }
                else
                {
                    root.AssertHolds("eaten", consumed);
                }

                root.AssertCleanAfterGc();
            }

            disk.Unmount();
            File.Delete(picture);
        }
    }

    [Fact]
    public void After_a_killed_commit_no_object_is_believed_without_reading_it()
    {
        Tools.Require("strace");
        using var root = new PhysicalRoot();
        SortedDictionary<string, string> tree = SourceTree.Make(root.At("source"), 6);

        // As the commit is about to sync it has left objects, and no ref.
        string[] kill = ["-f", "-o", "/dev/null", "-e", "trace=syncfs", "-e", "inject=syncfs:signal=KILL"];
        ToolResult killed = Tools.Run("strace", [.. kill, Hacktree.Path, .. root.Arguments("commit", "-b", "main", root.At("source"))]);
        Assert.NotEqual(0, killed.ExitCode);
        Assert.Null(root.Tip("main"));

        // What a power cut does to content that was not synced: it comes back as zeros.
        string[] objects = [.. Directory.GetFiles($"{root.Store}/files", "*", SearchOption.AllDirectories).Where(path => new FileInfo(path).Length > 0)];
        Assert.InRange(objects.Length, 100, int.MaxValue);
        foreach (string path in objects)
        {
            DateTime time = File.GetLastWriteTimeUtc(path);
            Tools.Run("dd", "if=/dev/zero", $"of={path}", "conv=notrunc", "bs=1", "count=100").Succeeded();
            File.SetLastWriteTimeUtc(path, time);
        }

        root.Ok("commit", "-b", "main", root.At("source"));
        root.AssertSound();
        root.AssertHolds("main", tree);
        root.AssertCleanAfterGc();
    }

    /// <summary>A filesystem with a store and a commit "main" that is durable.</summary>
    private static string Format(LoopFilesystem host, string type)
    {
        string image = host.At("image");
        File.Delete(image);
        using (FileStream file = File.Create(image))
        {
            file.SetLength(400L << 20);
        }

        Tools.Require($"mkfs.{type}");
        Tools.Run($"mkfs.{type}", type == "ext4" ? "-qF" : "-qf", image).Succeeded();
        SourceTree.Make(host.At("source"), -1);
        using var disk = new LoopFilesystem(type, image);
        disk.Mount();
        var root = new PhysicalRoot(disk.Path);
        root.Ok("commit", "-b", "main", host.At("source"));
        disk.Unmount();
        return image;
    }

    private static void AssertOneOf(string place, params SortedDictionary<string, string>[] trees)
    {
        if (Directory.Exists(place))
        {
            SortedDictionary<string, string> found = Snapshot.Of(place);
            Snapshot.AssertSame(trees.FirstOrDefault(found.SequenceEqual) ?? trees[0], found);
        }
    }

    /// <summary>Pictures while commands run one after the other; in them, the last word and what follows --from are names in the filesystem.</summary>
    private static List<string> TakePictures(string type, string image, LoopFilesystem host, Random random, string[][] commands)
    {
        var pictures = new List<string>();
        using var disk = new LoopFilesystem(type, image);
        disk.Mount();
        var root = new PhysicalRoot(disk.Path);
        foreach (string[] command in commands)
        {
            string[] inPlace = [.. command.Select((word, i) => i > 0 && (i == command.Length - 1 || command[i - 1] == "--from") ? root.At(word) : word)];
            using Process process = Hacktree.Start(root.Arguments(inPlace));
            for (int i = 0; i < PhysicalRoot.Rounds(2) && !process.WaitForExit(random.Next(1, 25)); i++)
            {
                pictures.Add(host.At($"picture{pictures.Count}"));
                if (i % 2 == 0)
                {
                    SyncSomethingElse(disk);
                }

                Clone(image, pictures[^1]);
            }

            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
            pictures.Add(host.At($"picture{pictures.Count}"));
            Clone(image, pictures[^1]);
        }

        disk.Unmount();
        return pictures;
    }

    private static List<string> TakePictures(string type, string image, LoopFilesystem host, int round, Random random, bool isKilled)
    {
        var pictures = new List<string>();
        using var disk = new LoopFilesystem(type, image);
        disk.Mount();
        var root = new PhysicalRoot(disk.Path);
        SourceTree.Make(host.At("source"), PhysicalRoot.Seed + round);
        using Process process = Hacktree.Start(root.Arguments("commit", "-b", "main", host.At("source")));
        for (int i = 0; i < Pictures && !process.WaitForExit(random.Next(5, 40)); i++)
        {
            pictures.Add(host.At($"picture{i}"));

            // The journal is written without the content, as it is every few seconds.
            if (i % 3 == 0)
            {
                SyncSomethingElse(disk);
            }

            Clone(image, pictures[^1]);
            if (isKilled && i == Pictures / 2)
            {
                process.Kill();
            }
        }

        process.WaitForExit();
        SyncSomethingElse(disk);
        pictures.Add(host.At("picture-last"));
        Clone(image, pictures[^1]);
        disk.Unmount();
        return pictures;
    }

    private static void CheckAfterPowerCut(string type, string picture, string source, int round)
    {
        using var disk = new LoopFilesystem(type, picture);
        disk.Mount();
        var root = new PhysicalRoot(disk.Path);
        string tip = root.Tip("main") ?? throw new InvalidOperationException("the ref is gone");
        ToolResult check = root.Run("fsck");

        // What no ref needs may be half there, but then fsck must say so.
        Assert.True(check.ExitCode is 0 or 3, $"round {round}: {check.Error}{check.Output}");
        Assert.DoesNotContain("needed by", check.Error + check.Output, StringComparison.Ordinal);
        root.AssertEveryCommitWhole();
        root.Ok("checkout", tip, root.At("r1"));
        if (round % 2 == 0)
        {
            root.AssertCleanAfterGc();
        }

        string again = root.Ok("commit", "-b", "main", source);
        Assert.Equal(again, root.Tip("main"));
        ToolResult mended = root.Run("fsck");
        Assert.DoesNotContain("needed by", mended.Error + mended.Output, StringComparison.Ordinal);
        root.AssertHolds("main", Snapshot.Of(source));
        root.AssertCleanAfterGc();
        disk.Unmount();
    }

    internal static void SyncSomethingElse(LoopFilesystem disk)
    {
        Sys.Open(Sys.WorkingDirectory, Encoding.UTF8.GetBytes(disk.At("something-else")), OpenFlags.ReadWrite | OpenFlags.Create, out SafeFileHandle file, 0x180)
            .ThrowIfFailed("openat", disk.Path);
        using (file)
        {
            Sys.WriteAt(file, [1], Environment.TickCount64 & 0xFFFF).ThrowIfFailed("pwrite", disk.Path);
            Sys.Sync(file).ThrowIfFailed("fsync", disk.Path);
        }
    }

    internal static void Clone(string from, string to) => Tools.Run("cp", "--reflink=always", from, to).Succeeded();
}
