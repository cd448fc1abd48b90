using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>
/// System calls that fail one after the other, as on a failing or a full disk: strace answers in the kernel's place. Whichever it is, the
/// program says so in one sentence, a root is the old commit or the new one or not there, and gc finds all that was left.
/// </summary>
public sealed class FailingCallTests
{
    private static readonly (string Call, string Error)[] Failures =
    [
        ("fsync", "EIO"), ("syncfs", "EIO"), ("pwrite64", "ENOSPC"), ("mkdirat", "ENOSPC"), ("linkat", "ENOSPC"),
        ("symlinkat", "ENOSPC"), ("renameat", "ENOSPC"), ("renameat2", "EIO"), ("unlinkat", "EIO"),
    ];

    [Theory]
    [InlineData("checkout new r1")]
    [InlineData("checkout --copy new r1")]
    [InlineData("checkout --force new r0")]
    [InlineData("checkout --from r0 new r1")]
    [InlineData("checkout --from r0 new r0")]
    [InlineData("roots rm r0")]
    [InlineData("commit -b newer r0")]
    [InlineData("gc")]
    public void Whichever_call_fails_nothing_is_lost(string command)
    {
        Tools.Require("strace");
        foreach ((string call, string error) in Failures)
        {
            for (int number = 1; ; number++)
            {
                using var root = new PhysicalRoot();
                (SortedDictionary<string, string> old, SortedDictionary<string, string> @new) = MakeRoot(root);
                if (!RunFailing(root, command, call, error, number, out ToolResult result))
                {
                    break;
                }

                if (result.ExitCode != 0)
                {
                    Hacktree.Refused(result);
                }

                AssertNothingLost(root, old, @new);
            }
        }
    }

    [Fact]
    public void A_root_that_cannot_be_recorded_as_taken_keeps_its_name()
    {
        Tools.Require("strace");
        using var root = new PhysicalRoot();
        (SortedDictionary<string, string> old, SortedDictionary<string, string> @new) = MakeRoot(root);

        // The first record says that the root is about to be changed, the second which inode it has.
        Assert.True(RunFailing(root, "checkout --from r0 new r0", "renameat", "ENOSPC", 2, out ToolResult result));
        Assert.Contains("no space left", Hacktree.Refused(result), StringComparison.Ordinal);
        Snapshot.AssertSame(old, Snapshot.Of(root.At("r0")));
        root.Ok("checkout", "--from", root.At("r0"), "new", root.At("r0"));
        Snapshot.AssertSame(@new, Snapshot.Of(root.At("r0")));
        root.AssertCleanAfterGc();
    }

    [Fact]
    public void A_commit_whose_sync_fails_is_in_no_pack()
    {
        Tools.Require("strace");
        using var root = new PhysicalRoot();
        MakeRoot(root);
        string[] packs = Directory.GetFiles($"{root.Store}/packs");

        Assert.True(RunFailing(root, "commit -b newer source", "syncfs", "EIO", 1, out ToolResult result));
        Hacktree.Refused(result);
        Assert.Equal(packs, Directory.GetFiles($"{root.Store}/packs"));
    }

    [Theory]
    [InlineData("flistxattr", "a/f1")]
    [InlineData("pread64", "b/c/g2")]
    [InlineData("statx", "b/c/g2")]
    [InlineData("flistxattr", "b/c")]
    [InlineData("getdents64", "b/c")]
    public void A_commit_names_what_it_could_not_read(string call, string path)
    {
        Tools.Require("strace");
        using var root = new PhysicalRoot();
        string source = root.At("source");
        Shell(source, "mkdir -p a b/c; for i in 1 2; do echo $i > a/f$i; echo x$i > b/c/g$i; done; ln -s f1 a/link");

        string[] strace = ["-f", "-o", root.At("trace"), "-P", $"{source}/{path}", "-e", $"trace={call}", "-e", $"inject={call}:error=EIO"];
        ToolResult result = Tools.Run("strace", [.. strace, Hacktree.Path, "--quiet", .. root.Arguments("commit", "-b", "x", source)]);
        Assert.Contains($"{source}/{path}: input/output error", Hacktree.Refused(result), StringComparison.Ordinal);
    }

    /// <summary>Commits "old" and "new" that differ in each way, and a root of the old one.</summary>
    private static (SortedDictionary<string, string> Old, SortedDictionary<string, string> New) MakeRoot(PhysicalRoot root)
    {
        string source = root.At("source");
        Shell(source, "mkdir -p a b/c; for i in 1 2; do echo $i > a/f$i; echo x$i > b/c/g$i; done; ln -s f1 a/link");
        SortedDictionary<string, string> old = Snapshot.Of(source);
        root.Ok("commit", "-b", "old", source);
        Shell(source, "echo other > a/f2; rm -r b/c; mkdir d; echo d > d/h; ln -sfn f2 a/link; chmod 750 a");
        SortedDictionary<string, string> @new = Snapshot.Of(source);
        root.Ok("commit", "-b", "new", source);
        root.Ok("checkout", "old", root.At("r0"));
        return (old, @new);
    }

    private static void Shell(string directory, string script)
    {
        Directory.CreateDirectory(directory);
        Tools.Run("sh", "-ec", $"cd {directory}; {script}").Succeeded();
    }

    /// <summary>Runs a command of which one call fails; answers whether it came to that call.</summary>
    private static bool RunFailing(PhysicalRoot root, string command, string call, string error, int number, out ToolResult result)
    {
        string trace = root.At("trace");
        string[] words = [.. command.Split(' ').Select(word => word is "r0" or "r1" or "source" ? root.At(word) : word)];
        string[] strace = ["-f", "-o", trace, "-e", $"trace={call}", "-e", $"inject={call}:error={error}:when={number}"];
        result = Tools.Run("strace", [.. strace, Hacktree.Path, "--quiet", .. root.Arguments(words)]);
        return File.ReadAllText(trace).Contains("(INJECTED)", StringComparison.Ordinal);
    }

    /// <summary>Besides the roots: fsck, after gc, reads every object of both commits.</summary>
    private static void AssertNothingLost(PhysicalRoot root, SortedDictionary<string, string> old, SortedDictionary<string, string> @new)
    {
        AssertRootsWhole();
        root.AssertCleanAfterGc();
        AssertRootsWhole();

        void AssertRootsWhole()
        {
            foreach (string place in new[] { root.At("r0"), root.At("r1") }.Where(Directory.Exists))
            {
                SortedDictionary<string, string> found = Snapshot.Of(place);
                Snapshot.AssertSame(found.SequenceEqual(old) ? old : @new, found);
            }
        }
    }
}
