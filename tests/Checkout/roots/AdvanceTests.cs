using System.Globalization;
using HackTree.Linux;
using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>
/// A root turned into another commit is the same as that commit checked out, whatever was done to it in between: the same
/// tree, and every regular file the same inode.
/// </summary>
public sealed class AdvanceTests : IDisposable
{
    /// <summary>What somebody may do to a root, in the shell, in the root's directory.</summary>
    public static readonly TheoryData<string> Touches = new(
        "true",
        "touch new; mkdir -p newdir/below; touch newdir/below/file",
        "rm -rf d0; rm large0",
        "mv d0 gone && mv d1 d0 && mv gone d1",
        "d=$(find . -mindepth 2 -type d | head -1); mv $d moved && mkdir $d && mv moved $d/in",
        "f=$(find . -mindepth 2 -type f | head -1); cp $f copy && mv copy $f",
        "d=$(find . -mindepth 1 -type d | tail -1); rm -r $d; ln -s /etc $d",
        "f=$(find . -type f | head -1); rm $f; mkdir $f; touch $f/x",
        "chmod 711 . d0 d1; chown 5:6 d2; find . -type d -exec chgrp 9 {} +",
        "setfattr -n user.mark -v x d0; setfattr -n trusted.mark -v y .; setfacl -m u:7:rwx d1; setfacl -d -m u:8:rwx d1",
        "find . -type l -delete; find . -mindepth 1 -type d | head -5 | while read d; do ln -s nowhere $d/stray; done",
        "find . -mindepth 1 -depth -delete");

    private readonly PhysicalRoot root = new();

    public void Dispose() => root.Dispose();

    [Fact]
    public void Random_trees_become_one_another()
    {
        for (int seed = 0; seed < PhysicalRoot.Rounds(4); seed++)
        {
            SortedDictionary<string, string> first = Commit("a", seed);
            SortedDictionary<string, string> second = CommitRelative("b", seed);
            root.Ok("checkout", "a", root.At("r0"));
            root.Ok("checkout", "--from", root.At("r0"), "b", root.At("r1"));
            RootComparison.RequireSame(root, second, "b", "r1");
            Assert.False(Directory.Exists(root.At("r0")));
            root.Ok("checkout", "--from", root.At("r1"), "a", root.At("r1"));
            RootComparison.RequireSame(root, first, "a", "r1");
            Assert.Equal(["r1.json"], Records());
            Tools.Run("rm", "-rf", root.At("r1")).Succeeded();
            root.AssertCleanAfterGc();
        }
    }

    [Theory]
    [MemberData(nameof(Touches))]
    public void Whatever_was_done_to_the_old_root_is_undone(string touch) => AdvanceTouched(touch);

    [Theory]
    [MemberData(nameof(Touches))]
    public void And_when_all_modification_times_were_set_back(string touch) =>
        AdvanceTouched($"touch -r . /tmp/$$; find . -type d -printf '%p %T@\\n' > /tmp/$$.times; {touch}; "
            + "while read p t; do [ -d $p ] && [ ! -L $p ] && touch -d @$t $p; done < /tmp/$$.times; touch -r /tmp/$$ .; rm -f /tmp/$$ /tmp/$$.times");

    [Fact]
    public void What_did_not_change_costs_no_system_call_for_a_file_and_one_for_a_directory()
    {
        Tools.Require("strace");
        int few = CountAdvance("few", directories: 100), many = CountAdvance("many", directories: 300);

        // One call for each of 200 directories more, and none for 4,000 files more. What a program's start, the store and the look at other
        // processes cost is in both; it differs by less than 100.
        Assert.InRange(many - few, 100, 300);
    }

    /// <summary>Counts the system calls of an advance in which one file of a tree is new. A directory has 20 files.</summary>
    private int CountAdvance(string name, int directories)
    {
        string source = root.At(name);
        for (int d = 0; d < directories; d++)
        {
            Directory.CreateDirectory($"{source}/d{d}");
            for (int f = 0; f < 20; f++)
            {
                File.WriteAllText($"{source}/d{d}/f{f}", $"{d} {f}");
            }
        }

        root.Ok("commit", "-b", $"{name}-a", source);
        File.WriteAllText($"{source}/d7/f7", "changed");
        root.Ok("commit", "-b", $"{name}-b", source);
        root.Ok("checkout", $"{name}-a", root.At($"{name}-0"));
        root.Ok("checkout", $"{name}-a", root.At($"{name}-1"));
        int calls = CountCalls("checkout", "--from", root.At($"{name}-0"), $"{name}-b", root.At($"{name}-2"));
        Assert.Equal("changed", File.ReadAllText(root.At($"{name}-2/d7/f7")));
        return calls;
    }

    [Fact]
    public void A_spare_root_is_found_and_without_one_a_new_root_is_made()
    {
        SortedDictionary<string, string> tree = Commit("a", 1);
        Reuse("r0", anew: true);
        RootComparison.RequireSame(root, tree, "a", "r0");

        // The only root is not taken, and of two the older one is.
        Reuse("r1", anew: true);
        Reuse("r2", anew: false);
        Assert.False(Directory.Exists(root.At("r0")));
        root.Ok("roots", "pin", "r1");

        // The newest one is not taken, though nothing else could be.
        Reuse("r3", anew: true);
        Reuse("r4", anew: false);
        Assert.Equal(["r1.json", "r3.json", "r4.json"], Records());

        // A newest root that is gone leaves the next one the newest.
        Directory.Delete(root.At("r4"), recursive: true);
        Reuse("r5", anew: true);
        root.Ok("checkout", "--copy", "a", root.At("copy"));
        Assert.Equal(["copy.json", "r1.json", "r3.json", "r4.json", "r5.json"], Records());
    }

    [Fact]
    public void A_root_that_must_stay_is_refused_in_one_sentence_and_stays()
    {
        SortedDictionary<string, string> tree = Commit("a", 1);
        root.Ok("checkout", "a", root.At("r0"));
        root.Ok("checkout", "--copy", "a", root.At("copy"));
        string[] advance = ["checkout", "--from", root.At("r0"), "a", root.At("r1")];
        root.Ok("roots", "pin", "r0");
        Assert.Contains("pinned", root.Refused(advance), StringComparison.Ordinal);
        Assert.Contains("pinned", root.Refused("checkout", "--force", "a", root.At("r0")), StringComparison.Ordinal);
        root.Ok("roots", "unpin", "r0");
        Assert.Contains("copies", root.Refused("checkout", "--from", root.At("copy"), "a", root.At("r1")), StringComparison.Ordinal);
        Assert.Contains("no record", root.Refused("checkout", "--from", root.At("source"), "a", root.At("r1")), StringComparison.Ordinal);
        Assert.Contains("exists already", root.Refused("checkout", "--from", root.At("r0"), "a", root.At("copy")), StringComparison.Ordinal);
        Assert.Contains("no root of that name", root.Refused("roots", "pin", "r7"), StringComparison.Ordinal);
        Directory.Move(root.At("r0"), root.At("moved"));
        Assert.Contains("not there", root.Refused(advance), StringComparison.Ordinal);
        Directory.CreateDirectory(root.At("r0"));
        Assert.Contains("not the directory", root.Refused(advance), StringComparison.Ordinal);
        Directory.Delete(root.At("r0"));
        File.CreateSymbolicLink(root.At("r0"), root.At("moved"));
        Assert.Contains("not the directory", root.Refused(advance), StringComparison.Ordinal);
        File.Delete(root.At("r0"));
        Directory.Move(root.At("moved"), root.At("r0"));
        RootComparison.RequireSame(root, tree, "a", "r0");
        Assert.Equal(["copy.json", "r0.json"], Records());
        Assert.Empty(Directory.GetFileSystemEntries(root.At("objects/tmp")));
    }

    [Fact]
    public void A_root_in_use_is_neither_turned_into_another_nor_replaced()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount and chroot");
        Tools.Require("python3");
        Commit("a", 1);
        root.Ok("checkout", "a", root.At("r0"));
        string[][] commands = [["checkout", "--from", root.At("r0"), "a", root.At("r1")], ["checkout", "--force", "a", root.At("r0")]];
        Tools.Run("mount", "--bind", root.At("source"), root.At("r0/d0")).Succeeded();
        Assert.All(commands, command => Assert.Contains($"{root.At("r0/d0")} is mounted there", root.Refused(command), StringComparison.Ordinal));
        Tools.Unmount(root.At("r0/d0"));
        using System.Diagnostics.Process inside = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo("python3", ["-c", $"import os, time; os.chroot('{root.At("r0")}'); print('in', flush=True); time.sleep(600)"]) { RedirectStandardOutput = true })!;
        try
        {
            Assert.Equal("in", inside.StandardOutput.ReadLine());
            Assert.All(commands, command => Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"process {inside.Id} (python3) runs in it"), root.Refused(command), StringComparison.Ordinal));
        }
        finally
        {
            inside.Kill();
            inside.WaitForExit();
        }

        Assert.All(commands, command => root.Ok(command[0] == "checkout" && command[1] == "--from" ? ["checkout", "--from", root.At("r0"), "a", root.At("r0")] : command));
    }

    private void Reuse(string name, bool anew) =>
        Assert.Equal(anew, root.Run("checkout", "--reuse", "a", root.At(name)).Error.Contains("anew", StringComparison.Ordinal));

    private SortedDictionary<string, string> Commit(string branch, int seed)
    {
        SortedDictionary<string, string> tree = SourceTree.Make(root.At("source"), seed);
        root.Ok("commit", "-b", branch, root.At("source"));
        return tree;
    }

    /// <summary>Commits what came before with a third of its names gone, changed, or of another kind.</summary>
    private SortedDictionary<string, string> CommitRelative(string branch, int seed)
    {
        var random = new Random(seed);
        foreach (string path in Directory.GetFileSystemEntries(root.At("source"), "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            int what = random.Next(12);
            bool isDirectory = Directory.Exists(path) && new FileInfo(path).LinkTarget is null;
            if (what == 0)
            {
                Tools.Run("rm", "-rf", path).Succeeded();
            }
            else if (what == 1 && !isDirectory)
            {
                Tools.Run("sh", "-c", $"rm -rf '{path}' && mkdir '{path}' && echo {seed} > '{path}/x'");
            }
            else if (what == 2)
            {
                Tools.Run("sh", "-c", $"rm -rf '{path}' && echo {seed} > '{path}'");
            }
            else if (what == 3 && isDirectory)
            {
                Tools.Run("chmod", "750", path);
            }
        }

        root.Ok("commit", "-b", branch, root.At("source"));
        return Snapshot.Of(root.At("source"));
    }

    private void AdvanceTouched(string touch)
    {
        Assert.SkipWhen(!Sys.IsRoot && (touch.Contains("chown", StringComparison.Ordinal) || touch.Contains("trusted", StringComparison.Ordinal)), "only root can do that to a file");
        SortedDictionary<string, string> first = Commit("a", 1);
        root.Ok("checkout", "a", root.At("r0"));
        SortedDictionary<string, string> second = CommitRelative("b", 1);
        Tools.Run("sh", "-c", $"cd {root.At("r0")} && {{ {touch}; }}").Succeeded();
        root.Ok("checkout", "--from", root.At("r0"), "b", root.At("r1"));
        RootComparison.RequireSame(root, second, "b", "r1");
        root.Ok("checkout", "--from", root.At("r1"), "a", root.At("r0"));
        RootComparison.RequireSame(root, first, "a", "r0");
        root.AssertSound();
    }

    private IEnumerable<string> Records() =>
        Directory.GetFiles(root.At("objects/roots")).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal);

    /// <summary>All calls but those by which threads wait for each other: their number is chance.</summary>
    private int CountCalls(params string[] arguments)
    {
        string[] alone = Sys.IsRoot ? ["unshare", "--pid", "--fork", "--mount-proc", "strace"] : ["strace"];
        ToolResult result = Tools.Run(alone[0], [.. alone[1..], "-f", "-c", "-e", "trace=!futex,sched_yield", Hacktree.Path, .. root.Arguments(arguments)]);
        string total = result.Error.Split('\n').Single(line => line.EndsWith(" total", StringComparison.Ordinal));
        return int.Parse(total.Split(' ', StringSplitOptions.RemoveEmptyEntries)[3], CultureInfo.InvariantCulture);
    }
}
