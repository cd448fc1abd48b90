using System.Text.Json;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>Filesystems that run full, for real: small ones, filled up to every distance from the end.</summary>
public sealed class FullDiskTests
{
    private const int Block = 4096;

    [Fact]
    public void A_commit_on_a_full_disk_says_so_leaves_the_ref_and_works_once_there_is_space() =>
        TryEveryFill((root, source) => ["commit", "-b", "main", source], needed: 1700);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_checkout_on_a_full_disk_leaves_no_root(bool copy)
    {
        TryEveryFill(
            (root, source) =>
            {
                root.Ok("commit", "-b", "main", source);
                return copy ? ["checkout", "--copy", "main", root.At("r1")] : ["checkout", "main", root.At("r1")];
            },
            needed: copy ? 1700 : 60,
            after: (root, succeeded) =>
            {
                Assert.Equal(succeeded, Directory.Exists(root.At("r1")));
                Tools.Run("rm", "-rf", root.At("r1")).Succeeded();
            });
    }

    [Fact]
    public void A_gc_on_a_full_disk_loses_nothing()
    {
        // Half of a pack is dead: gc must write another one.
        TryEveryFill(
            (root, source) =>
            {
                root.Ok("commit", "-b", "main", source);
                File.WriteAllText(Path.Combine(source, "extra"), Guid.NewGuid().ToString());
                root.Ok("commit", "-b", "main", source);
                return ["gc", "--depth", "0"];
            },
            needed: 30);
    }

    [Fact]
    public void A_gc_on_a_disk_without_a_free_block_frees_what_a_failed_commit_left()
    {
        using var disk = new LoopFilesystem("ext4", 24, "-m", "0");
        var root = new PhysicalRoot(disk.Path);
        using var elsewhere = new TempDirectory();
        SourceTree.Make(elsewhere.At("source"), 1);
        root.Ok("commit", "-b", "dropped", elsewhere.At("source"));
        SourceTree.Make(elsewhere.At("source"), 2);
        Fill(disk, 500 * Block);
        root.Refused("commit", "-b", "main", elsewhere.At("source"));
        root.Ok("refs", "delete", "dropped");
        Fill(disk, 0, "fill-more");
        root.Ok("gc");

        // ext4 counts blocks as free only when its journal has them.
        Tools.Run("sync", "-f", disk.Path).Succeeded();
        Assert.True(disk.FreeBytes > 4 << 20, $"{disk.FreeBytes} bytes free");
        root.Ok("commit", "-b", "main", elsewhere.At("source"));
        root.AssertCleanAfterGc();
    }

    [Fact]
    public void A_gc_that_cannot_write_a_pack_frees_what_it_can_and_then_has_the_room()
    {
        using var disk = new LoopFilesystem("ext4", 40, "-m", "0");
        var root = new PhysicalRoot(disk.Path);
        using var elsewhere = new TempDirectory();
        CommitTwoOfWhichTheOlderIsNeededInPart(root, elsewhere.At("source"));
        SourceTree.Make(elsewhere.At("other"), 2);
        root.Ok("commit", "-b", "other", elsewhere.At("other"));
        root.Ok("refs", "delete", "other");
        Fill(disk, 0);

        string told = root.Ok("gc", "--depth", "0", "--json");

        JsonElement result = JsonDocument.Parse(told).RootElement;
        Assert.Equal(2, result.GetProperty("commitsDropped").GetInt32());
        Assert.True(result.GetProperty("bytesFreed").GetInt64() > 7 << 20, told);
        root.AssertHolds("main", Snapshot.Of(elsewhere.At("source")));
        root.AssertCleanAfterGc();
    }

    [Fact]
    public void A_gc_without_any_room_says_how_much_it_needs_and_keeps_the_older_commit_whole()
    {
        using var disk = new LoopFilesystem("ext4", 40, "-m", "0");
        var root = new PhysicalRoot(disk.Path);
        using var elsewhere = new TempDirectory();
        string older = CommitTwoOfWhichTheOlderIsNeededInPart(root, elsewhere.At("source"));
        Fill(disk, 0);

        foreach (string[] gc in new string[][] { ["gc", "--depth", "0", "--dry-run"], ["gc", "--depth", "0"] })
        {
            ToolResult told = root.Run(gc);
            Assert.Equal(1, told.ExitCode);
            Assert.Contains("/packs: no space left for a new pack (at most ", told.Error, StringComparison.Ordinal);
            root.AssertSound();
            root.Ok("cat", older, "large0");
        }

        Tools.Run("rm", "-r", disk.At("fill")).Succeeded();
        root.Ok("gc", "--depth", "0");
        root.Refused("ls", older);
        root.AssertCleanAfterGc();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void On_a_disk_without_a_free_block_or_inode_a_root_goes_and_frees_its_space(bool noInodes)
    {
        using var disk = new LoopFilesystem("ext4", 40, "-m", "0");
        var root = new PhysicalRoot(disk.Path);
        using var elsewhere = new TempDirectory();
        SourceTree.Make(elsewhere.At("source"), 1);
        root.Ok("commit", "-b", "main", elsewhere.At("source"));
        root.Ok("checkout", "--copy", "main", root.At("r1"));
        root.Ok("checkout", "--copy", "main", root.At("r2"));
        root.Ok("roots", "pin", "r2");
        if (noInodes)
        {
            UseInodes(disk, 0);
        }
        else
        {
            Fill(disk, 0);
        }

        root.Ok("fsck", "--repair");
        Assert.Contains("pinned", root.Refused("roots", "rm", "r2"), StringComparison.Ordinal);
        root.Ok("roots", "rm", "r1");

        Tools.Run("sync", "-f", disk.Path).Succeeded();
        Assert.True(disk.FreeBytes > 2 << 20, $"{disk.FreeBytes} bytes free");
        Assert.False(Directory.Exists(root.At("r1")));
        Assert.Equal([$"{root.Store}/roots/r2.json"], Directory.GetFiles($"{root.Store}/roots"));
        Assert.Empty(Directory.GetFileSystemEntries($"{root.Store}/tmp"));
        root.AssertCleanAfterGc();
    }

    /// <summary>Where there is no room for the build record, the root goes by way of tmp/, and a kill leaves it whole or to gc.</summary>
    [Fact]
    public void On_a_full_disk_a_kill_leaves_the_root_whole_or_litter_that_gc_removes()
    {
        Tools.Require("strace");
        using var disk = new LoopFilesystem("ext4", 40, "-m", "0");
        var root = new PhysicalRoot(disk.Path);
        using var elsewhere = new TempDirectory();
        SourceTree.Make(elsewhere.At("source"), 1);
        root.Ok("commit", "-b", "main", elsewhere.At("source"));
        bool wasKilled = true;
        for (int number = 1; wasKilled; number++)
        {
            Assert.True(number < 30, "it is never done");
            root.Ok("checkout", "--force", "main", root.At("r1"));
            Fill(disk, 0);
            string[] kill = ["-f", "-o", "/dev/null", "-e", "trace=renameat2,fsync", "-e", $"inject=renameat2,fsync:signal=KILL:when={number}"];
            wasKilled = Tools.Run("strace", [.. kill, Hacktree.Path, .. root.Arguments("roots", "rm", "r1")]).ExitCode != 0;
            if (Directory.Exists(root.At("r1")))
            {
                Snapshot.AssertSame(Snapshot.Of(elsewhere.At("source")), Snapshot.Of(root.At("r1")));
            }

            Tools.Run("rm", "-rf", disk.At("fill")).Succeeded();
            root.AssertCleanAfterGc();
            Assert.False(Directory.Exists(root.At(".r1.partial")));
        }

        Assert.Empty(Directory.GetFileSystemEntries($"{root.Store}/roots"));
    }

    [Theory]
    [InlineData(false, "no space left")]
    [InlineData(true, "read-only")]
    public void A_mount_that_cannot_make_its_image_says_why(bool isReadOnly, string why)
    {
        using var disk = new LoopFilesystem("ext4", 40, "-m", "0");
        var root = new PhysicalRoot(disk.Path);
        using var elsewhere = new TempDirectory();
        SourceTree.Make(elsewhere.At("source"), 1);
        root.Ok("commit", "-b", "main", elsewhere.At("source"));
        Fill(disk, 0);
        if (isReadOnly)
        {
            Tools.Run("mount", "-o", "remount,ro", disk.Path).Succeeded();
        }

        string refused = root.Refused("mount", "main", elsewhere.Path);
        Assert.Contains($"{root.Store}/images: ", refused, StringComparison.Ordinal);
        Assert.Contains(why, refused, StringComparison.Ordinal);
    }

    [Fact]
    public void A_gc_that_cannot_complete_the_record_of_a_root_frees_the_rest()
    {
        using var disk = new LoopFilesystem("ext4", 40, "-m", "0");
        var root = new PhysicalRoot(disk.Path);
        using var elsewhere = new TempDirectory();
        foreach ((string name, int seed) in new[] { ("kept", 1), ("dropped", 2) })
        {
            SourceTree.Make(elsewhere.At("source"), seed);
            root.Ok("commit", "-b", name, elsewhere.At("source"));
        }

        KillCheckoutBeforeItsRecord(root);
        root.Ok("refs", "delete", "dropped");
        Fill(disk, 0);

        ToolResult gc = root.Run("gc");

        Assert.Equal(1, gc.ExitCode);
        Assert.Contains("no space left", gc.Error, StringComparison.Ordinal);
        Tools.Run("sync", "-f", disk.Path).Succeeded();
        Assert.True(disk.FreeBytes > 2 << 20, $"{disk.FreeBytes} bytes free");
        root.Ok("gc");
        Assert.Contains("r1", root.Ok("roots"), StringComparison.Ordinal);
        root.AssertCleanAfterGc();
    }

    /// <summary>Leaves a whole root r1 that has only the record of its building.</summary>
    private static void KillCheckoutBeforeItsRecord(PhysicalRoot root)
    {
        Tools.Require("strace");
        for (int call = 1; call < 10 && !Directory.Exists(root.At("r1")); call++)
        {
            root.Ok("gc");
            string[] kill = ["-f", "-o", "/dev/null", "-e", "trace=renameat", "-e", $"inject=renameat:signal=KILL:when={call}"];
            _ = Tools.Run("strace", [.. kill, Hacktree.Path, .. root.Arguments("checkout", "kept", root.At("r1"))]);
        }

        Assert.True(Directory.Exists(root.At("r1")) && File.Exists($"{root.Store}/roots/r1.partial.json"), "the checkout was not killed in time");
    }

    /// <summary>Two commits of one ref; a pack has trees that both need. Answers the older one.</summary>
    private static string CommitTwoOfWhichTheOlderIsNeededInPart(PhysicalRoot root, string source)
    {
        SourceTree.Make(source, 1);
        root.Ok("commit", "-b", "main", source);
        string older = root.Tip("main")!;
        File.WriteAllText(Path.Combine(source, "large0"), "another");
        root.Ok("commit", "-b", "main", source);
        return older;
    }

    [Theory]
    [InlineData("ext4", 40)]
    [InlineData("xfs", 300)]
    [InlineData("btrfs", 200)]
    public void On_a_disk_that_others_filled_to_the_last_byte_a_ref_can_be_deleted_and_its_space_freed(string type, int megabytes)
    {
        using var disk = new LoopFilesystem(type, megabytes);
        var root = new PhysicalRoot(disk.Path);
        using var elsewhere = new TempDirectory();
        SourceTree.Make(elsewhere.At("source"), 1);
        root.Ok("commit", "-b", "dropped", elsewhere.At("source"));
        foreach (string block in new[] { "64k", "4k", "512" })
        {
            Tools.Run("dd", "if=/dev/zero", $"of={disk.At($"fill-{block}")}", $"bs={block}");
            Tools.Run("sync", "-f", disk.Path);
        }

        root.Ok("refs", "delete", "dropped");
        root.Ok("gc");
        Tools.Run("sync", "-f", disk.Path).Succeeded();
        Assert.True(disk.FreeBytes > 2 << 20, $"{disk.FreeBytes} bytes free");
        root.AssertCleanAfterGc();
    }

    [Fact]
    public void Commit_and_checkout_without_free_inodes_say_so_and_leave_nothing()
    {
        using var disk = new LoopFilesystem("ext4", 64, "-N", "2048");
        var root = new PhysicalRoot(disk.Path);
        using var elsewhere = new TempDirectory();
        for (int left = 0; left < 180; left += PhysicalRoot.Rounds(0) > 0 ? 1 : 37)
        {
            string? old = root.Tip("main");
            SortedDictionary<string, string> tree = SourceTree.Make(elsewhere.At("source"), left);
            UseInodes(disk, left);
            ToolResult commit = root.Run("commit", "-b", "main", elsewhere.At("source"));
            ToolResult checkout = commit.ExitCode == 0 ? root.Run("checkout", "main", root.At("r1")) : commit;
            if (checkout.ExitCode != 0)
            {
                Assert.Contains("no space left", Hacktree.Refused(checkout), StringComparison.Ordinal);
            }

            Assert.Equal(commit.ExitCode == 0, root.Tip("main") != old);
            Assert.Equal(checkout.ExitCode == 0, Directory.Exists(root.At("r1")));
            root.AssertSound();
            Tools.Run("rm", "-rf", disk.At("inodes"), root.At("r1")).Succeeded();
            root.Ok("gc", "--depth", "0");
            root.Ok("commit", "-b", "main", elsewhere.At("source"));
            root.AssertHolds("main", tree);
            root.AssertCleanAfterGc();
        }
    }

    /// <summary>
    /// Runs a command with every number of free blocks from none to enough: it succeeds, or is refused in one sentence
    /// with all as it was; and with space again it works.
    /// </summary>
    private static void TryEveryFill(Func<PhysicalRoot, string, string[]> prepare, int needed, Action<PhysicalRoot, bool>? after = null)
    {
        using var disk = new LoopFilesystem("ext4", 48, "-m", "0");
        var root = new PhysicalRoot(disk.Path);
        using var elsewhere = new TempDirectory();
        string source = elsewhere.At("source");
        SourceTree.Make(source, 0);
        root.Ok("commit", "-b", "main", source);
        int step = PhysicalRoot.Rounds(0) > 0 ? 1 : Math.Max(1, needed / 7);
        for (int free = 0, round = 1; free < needed + step; free += free < 2 ? 1 : step, round++)
        {
            SourceTree.Make(source, round);
            string[] command = prepare(root, source);
            string old = root.Tip("main")!;
            Fill(disk, free * (long)Block);
            ToolResult result = root.Run(command);
            if (result.ExitCode != 0)
            {
                Assert.Contains("no space left", Hacktree.Refused(result), StringComparison.Ordinal);
                Assert.Equal(old, root.Tip("main"));
            }

            Assert.Empty(Directory.GetFileSystemEntries(root.Path, ".*.partial"));
            root.AssertSound();
            after?.Invoke(root, result.ExitCode == 0);
            Tools.Run("rm", "-rf", disk.At("fill")).Succeeded();
            root.Ok(command);
            after?.Invoke(root, true);
            root.AssertHolds("main", Snapshot.Of(source));
            root.Ok("gc", "--depth", "0");
            root.AssertCleanAfterGc();
        }
    }

    /// <summary>Takes all space but so many bytes.</summary>
    private static void Fill(LoopFilesystem disk, long leave, string name = "fill")
    {
        Tools.Run("sync", "-f", disk.Path).Succeeded();
        Directory.CreateDirectory(disk.At(name));
        for (int i = 0; disk.FreeBytes > leave && i < 50; i++)
        {
            // Blocks that keep track of blocks take some too: nearer with each file.
            long size = (disk.FreeBytes - leave) / Block * Block;
            Tools.Run("fallocate", "-l", $"{Math.Max(size, Block)}", disk.At($"{name}/{i}"));
            Tools.Run("sync", "-f", disk.Path).Succeeded();
        }
    }

    private static void UseInodes(LoopFilesystem disk, int leave)
    {
        string script = """
            mkdir "$1/inodes" && cd "$1/inodes" || exit
            free=$(stat -f -c %d .)
            [ "$free" -gt "$2" ] || exit 0
            seq $((free - $2)) | xargs touch
            """;
        Tools.Run("sh", "-c", script, "sh", disk.Path, $"{leave}").Succeeded();
    }
}
