using HackTree.Linux;
using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>A root is known by what it is, not by how somebody spells its path; and what must stay is not lost by way of what it lies in.</summary>
public sealed class RootIdentityTests : IDisposable
{
    private readonly PhysicalRoot root = new();

    public RootIdentityTests()
    {
        SourceTree.Make(root.At("source"), 1);
        root.Ok("commit", "-b", "one", root.At("source"));
        File.WriteAllText(root.At("source/new"), "two");
        root.Ok("commit", "-b", "two", root.At("source"));
        Directory.CreateDirectory(root.At("a"));
        Directory.CreateDirectory(root.At("b"));
    }

    public void Dispose() => root.Dispose();

    [Fact]
    public void A_root_stays_known_when_another_one_of_its_name_goes()
    {
        root.Ok("checkout", "one", root.At("a/r1"));
        root.Ok("checkout", "one", root.At("b/r1"));
        root.Ok("roots", "pin", root.At("b/r1"));
        Assert.Contains("a/r1 or b/r1", root.Refused("roots", "pin", "r1"), StringComparison.Ordinal);
        root.Ok("roots", "rm", root.At("a/r1"));

        Assert.Contains("pinned", root.Refused("checkout", "--force", "two", root.At("b/r1")), StringComparison.Ordinal);
        Assert.Contains("pinned", root.Refused("roots", "rm", root.At("b/r1")), StringComparison.Ordinal);
        root.Ok("roots", "unpin", root.At("b/r1"));
        root.Ok("checkout", "--from", root.At("b/r1"), "two", root.At("b/r1"));
        Assert.Single(Directory.GetFiles(root.At("objects/roots")));
        root.Ok("roots", "rm", root.At("b/r1"));
        Assert.Empty(Directory.GetFiles(root.At("objects/roots")));
    }

    [Fact]
    public void A_link_on_the_way_makes_no_other_place()
    {
        File.CreateSymbolicLink(root.At("link"), "a");
        root.Ok("checkout", "one", root.At("link/r1"));
        root.Ok("roots", "pin", root.At("a/r1"));
        foreach (string path in new[] { "a/r1", "link/r1", "link/../a/./r1/", "b/../link/r1" })
        {
            Assert.Contains("pinned", root.Refused("checkout", "--force", "two", root.At(path)), StringComparison.Ordinal);
            Assert.Contains("pinned", root.Refused("checkout", "--from", root.At(path), "two", root.At("r2")), StringComparison.Ordinal);
        }

        root.Ok("roots", "unpin", root.At("link/r1"));
        root.Ok("checkout", "--force", "two", root.At("link/r1"));
        Assert.Single(Directory.GetFiles(root.At("objects/roots")));
    }

    [Fact]
    public void A_store_that_is_reached_by_a_link_knows_where_it_is()
    {
        File.CreateSymbolicLink(root.At("link"), "objects");
        string[] linked = ["--store", root.At("link")];
        Hacktree.Run([.. linked, "checkout", "one", root.At("r1")]).Succeeded();
        Assert.Contains("the store itself", Hacktree.Refused(Hacktree.Run([.. linked, "checkout", "--force", "one", root.Store])), StringComparison.Ordinal);
        Assert.Contains("the store itself", Hacktree.Refused(Hacktree.Run([.. linked, "checkout", "--force", "one", root.Path])), StringComparison.Ordinal);
        Assert.Contains("only the store's own files", Hacktree.Refused(Hacktree.Run([.. linked, "checkout", "one", root.At("objects/tmp/r2")])), StringComparison.Ordinal);
        root.Ok("checkout", "--from", root.At("r1"), "two", root.At("r1"));
        root.AssertSound();
    }

    [Theory]
    [InlineData("checkout --force two {a}")]
    [InlineData("commit -b eaten --consume {a}")]
    public void What_a_directory_holds_is_not_lost_with_it(string command)
    {
        root.Ok("checkout", "one", root.At("a/r1"));
        string[] words = [.. command.Replace("{a}", root.At("a"), StringComparison.Ordinal).Split(' ')];
        Assert.Contains("a/r1 lies in it", root.Refused(words), StringComparison.Ordinal);
        root.Ok("roots", "rm", "r1");
        Hacktree.Run("--store", root.At("a/objects"), "init").Succeeded();
        Assert.Contains("there is a store in it", root.Refused(words), StringComparison.Ordinal);
        Assert.True(File.Exists(root.At("a/objects/format")));
        Directory.Delete(root.At("a/objects"), recursive: true);
        root.Ok(words);
    }

    [Fact]
    public void A_root_in_a_root_keeps_that()
    {
        root.Ok("checkout", "one", root.At("outer"));
        root.Ok("checkout", "one", root.At("outer/inner"));
        Assert.Contains("outer/inner lies in it", root.Refused("roots", "rm", "outer"), StringComparison.Ordinal);
        Assert.Contains("outer/inner lies in it", root.Refused("checkout", "--from", root.At("outer"), "two", root.At("r2")), StringComparison.Ordinal);
        root.Ok("roots", "rm", "inner", "outer");
    }

    [Fact]
    public void A_root_that_another_one_is_mounted_over_is_named_hidden_and_nobody_is_told_to_remove_it()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount");
        root.Ok("checkout", "one", root.At("r1"));
        root.Ok("checkout", "one", root.At("r2"));
        string[][] commands =
        [
            ["roots", "rm", "r2"], ["roots", "check", "r2"], ["checkout", "--from", root.At("r2"), "two", root.At("r2")],
            ["checkout", "--from", root.At("r2"), "two", root.At("r3")], ["checkout", "--force", "two", root.At("r2")],
        ];
        Tools.Run("mount", "--bind", root.At("r1"), root.At("r2")).Succeeded();
        try
        {
            foreach (string[] command in commands)
            {
                string refused = root.Refused(command);
                Assert.Contains($"{root.At("r2")}: something is mounted there, which ", refused, StringComparison.Ordinal);
                Assert.Contains("; unmount it", refused, StringComparison.Ordinal);
            }

            Assert.Matches("(?m)^ready .*/r1 ", root.Ok("roots"));
            Assert.Matches("(?m)^foreign .*/r2 ", root.Ok("roots"));
        }
        finally
        {
            Tools.Run("umount", root.At("r2")).Succeeded();
        }

        root.Ok("roots", "rm", "r2");
        Assert.True(File.Exists(root.At("r1/new")) || Directory.GetDirectories(root.At("r1")).Length > 0);
    }

    [Fact]
    public void Roots_that_were_copied_with_their_store_are_foreign()
    {
        root.Ok("checkout", "one", root.At("a/r1"));
        root.Ok("checkout", "one", root.At("a/r2"));
        root.Ok("roots", "pin", root.At("a/r2"));
        using var copied = new TempDirectory();
        Tools.Run("cp", "-a", root.Store, root.At("a"), copied.Path).Succeeded();
        var copy = new PhysicalRoot(copied.Path);
        Assert.Matches("(?m)^foreign .*/a/r1 ", copy.Ok("roots"));
        Assert.Matches("(?m)^foreign, pinned .*/a/r2 ", copy.Ok("roots"));
        Assert.Contains("not the directory that was checked out", copy.Refused("roots", "check", copy.At("a/r1")), StringComparison.Ordinal);
        Assert.Matches("(?m)^pinned .*/a/r2 ", root.Ok("roots"));
        Directory.Delete(copy.At("a/r1"), recursive: true);
        Assert.Matches("(?m)^missing .*/a/r1 ", copy.Ok("roots"));
    }

    [Fact]
    public void Consume_takes_no_root_and_nothing_of_one()
    {
        root.Ok("checkout", "one", root.At("r1"));
        SortedDictionary<string, string> before = Snapshot.Of(root.At("r1"));
        string below = Path.GetFileName(Directory.GetDirectories(root.At("r1"))[0]);
        File.CreateSymbolicLink(root.At("link"), "r1");
        foreach (string path in new[] { "r1", $"r1/{below}", $"link/{below}" })
        {
            Assert.Contains("belongs to the root", root.Refused("commit", "-b", "eaten", "--consume", root.At(path)), StringComparison.Ordinal);
        }

        Snapshot.AssertSame(before, Snapshot.Of(root.At("r1")));
    }

    [Fact]
    public void Consume_takes_what_is_mounted_in_a_root()
    {
        // As /sysroot and /tmp are in a root that was booted.
        Assert.SkipUnless(Sys.IsRoot, "only root can mount");
        root.Ok("checkout", "one", root.At("r1"));
        string mounted = root.At("r1/mounted"), tree = $"{mounted}/tree";
        string script = $"mkdir {mounted} && mount -t tmpfs tmpfs {mounted} && mkdir {tree} && touch {tree}/file && {Hacktree.Path} --store {root.Store} commit -b eaten --consume {tree} && [ ! -e {tree} ]";
        Tools.Run("unshare", "-m", "sh", "-c", script).Succeeded();
    }

    [Fact]
    public void A_store_that_was_moved_with_its_roots_knows_its_litter()
    {
        Tools.Require("strace");
        string[] killed = ["-f", "-o", root.At("trace"), "-e", "trace=linkat", "-e", "inject=linkat:signal=KILL:when=3", Hacktree.Path];
        Tools.Run("strace", [.. killed, .. root.Arguments("checkout", "one", root.At("r1"))]);
        Assert.True(Directory.Exists(root.At(".r1.partial")));
        string moved = root.At("moved");
        Directory.CreateDirectory(moved);
        Directory.Move(root.Store, Path.Combine(moved, "objects"));
        Directory.Move(root.At(".r1.partial"), Path.Combine(moved, ".r1.partial"));
        new PhysicalRoot(moved).AssertCleanAfterGc();
    }

    [Fact]
    public void A_store_seen_without_its_roots_keeps_what_they_need()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount");
        root.Ok("checkout", "two", root.At("r1"));
        root.Ok("refs", "delete", "two");
        root.Ok("gc");
        Directory.CreateDirectory(root.At("container/objects"));
        string script = $"mount --bind {root.Store} {root.At("container/objects")} && {Hacktree.Path} --store {root.At("container/objects")} gc";
        Tools.Run("unshare", "-m", "sh", "-c", script).Succeeded();
        root.Ok("checkout", "--from", root.At("r1"), "one", root.At("r1"));
        root.AssertSound();

        // Where it is at home, a root that is gone is gone.
        Directory.Delete(root.At("r1"), recursive: true);
        root.Ok("gc");
        Assert.Empty(Directory.GetFiles(root.At("objects/roots")));
    }

    [Fact]
    public void A_stranger_with_the_inode_of_an_unfinished_root_is_not_taken_for_it()
    {
        // ext4 gives a number again at once.
        using LoopFilesystem disk = new LoopFilesystem("ext4", 64);
        using var there = new PhysicalRoot(disk.Path);
        there.Ok("commit", "-b", "one", root.At("source"));
        for (int i = 0; i < 20; i++)
        {
            Hacktree.StartAndKill(TimeSpan.FromMilliseconds(8), there.Arguments("checkout", "one", there.At("r1")));
            if (File.Exists(there.At("objects/roots/r1.json")))
            {
                there.Ok("roots", "rm", "r1");
            }

            foreach (string path in new[] { there.At("r1"), there.At(".r1.partial") }.Where(Directory.Exists))
            {
                Directory.Delete(path, recursive: true);
            }

            Directory.CreateDirectory(there.At("r1"));
            File.WriteAllText(there.At("r1/mine"), "precious");
            there.Ok("gc");
            Assert.Empty(Directory.GetFiles(there.At("objects/roots")));
            Directory.Delete(there.At("r1"), recursive: true);
        }
    }

    [Fact]
    public void What_one_root_left_in_use_does_not_keep_gc_from_the_rest()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount");
        root.Ok("refs", "delete", "two");
        string script = $"""
            set -e
            strace -f -o {root.At("trace")} -e trace=linkat -e inject=linkat:signal=KILL:when=3 {Hacktree.Path} --store {root.Store} checkout one {root.At("r5")} && exit 9
            mount -t tmpfs tmpfs {root.At(".r5.partial")}
            {Hacktree.Path} --store {root.Store} checkout one {root.At("r5")} && exit 9
            rc=0; {Hacktree.Path} --store {root.Store} gc || rc=$?
            umount {root.At(".r5.partial")}
            exit $rc
            """;
        ToolResult result = Tools.Run("unshare", "-m", "sh", "-c", script);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("1 commit,", result.Output, StringComparison.Ordinal);
        Assert.Contains("stays until a later gc", result.Error, StringComparison.Ordinal);
        root.AssertCleanAfterGc();
    }

    [Fact]
    public void A_damaged_record_protects_its_root()
    {
        root.Ok("checkout", "one", root.At("r1"));
        root.Ok("roots", "pin", "r1");
        string record = root.At("objects/roots/r1.json");
        File.WriteAllText(record, File.ReadAllText(record).Replace("Pinned", "Pinmed", StringComparison.Ordinal));
        Assert.Contains("damaged", root.Refused("checkout", "--force", "two", root.At("r1")), StringComparison.Ordinal);
        Assert.True(Directory.Exists(root.At("r1")));
    }

    [Fact]
    public void A_name_that_is_too_long_leaves_nothing()
    {
        Assert.Contains("246 bytes", root.Refused("checkout", "one", root.At(new string('x', 247))), StringComparison.Ordinal);
        root.Ok("checkout", "one", root.At(new string('x', 246)));
        root.AssertCleanAfterGc();
    }

    [Fact]
    public void A_failed_advance_gives_the_old_root_back()
    {
        root.Ok("checkout", "one", root.At("r1"));
        SortedDictionary<string, string> before = Snapshot.Of(root.At("r1"));
        string digest = root.Ok("hash", root.At("source/new"))[7..71];
        File.Delete(Directory.GetFiles(root.At($"objects/files/{digest[..2]}"), $"{digest[2..]}.*").Single());
        foreach (string destination in new[] { "r1", "r2" })
        {
            Assert.Contains("is what it was", root.Refused("checkout", "--from", root.At("r1"), "two", root.At(destination)), StringComparison.Ordinal);
            Snapshot.AssertSame(before, Snapshot.Of(root.At("r1")));
        }

        root.Ok("commit", "-b", "two", root.At("source"));
        root.Ok("checkout", "--from", root.At("r1"), "two", root.At("r2"));
        Snapshot.AssertSame(Snapshot.Of(root.At("source")), Snapshot.Of(root.At("r2")));
        root.AssertCleanAfterGc();
    }

    [Fact]
    public void A_root_whose_place_is_gone_can_be_forgotten()
    {
        root.Ok("checkout", "one", root.At("a/r1"));
        root.Ok("roots", "pin", "r1");
        Directory.Delete(root.At("a"), recursive: true);
        root.Ok("gc");
        Assert.Contains("pinned", root.Refused("roots", "rm", "r1"), StringComparison.Ordinal);
        Assert.Contains("unpin` and `roots rm`", root.Run("fsck").Output + root.Run("fsck").Error, StringComparison.Ordinal);
        root.Ok("roots", "unpin", "r1");
        root.Ok("roots", "rm", "r1");
        Assert.Empty(Directory.GetFiles(root.At("objects/roots")));
    }
}
