using HackTree.Linux;
using HackTree.Model;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>
/// A process exchanges directories and files, below a command's hands, for links that lead to a victim outside. The command does its work or is refused in
/// one sentence. It never reads the victim's files, and changes nothing about them.
/// </summary>
public sealed class SwappedNamesTests : IDisposable
{
    private const int Directories = 12;

    // As deep as a directory, and in it names that are in the victim too.
    private static readonly string[] Swapped = ["d1", "d5/sub", "d9", "d3/pipe", "d7/sub/pipe", "d11/f1"];

    private readonly PhysicalRoot root = new();
    private readonly byte[] secret = Content.Of(5000);
    private long swaps;

    public SwappedNamesTests()
    {
        Tools.Require("python3", "mkfifo", "find");
        Fill("victim", Directories, "secret");
        File.WriteAllBytes(root.At("victim/d0/f0"), secret);
        Tools.Run("chmod", "-R", "go-rwx", root.At("victim")).Succeeded();
        Fill("source", Directories, "open");
        root.Ok("commit", "-q", "-b", "a", Source);
        File.WriteAllText(root.At("source/d5/f1"), "changed");
        Directory.Delete(root.At("source/d9/sub"), recursive: true);
        root.Ok("commit", "-q", "-b", "b", Source);
    }

    private string Source => root.At("source");

    private string Victim => root.At("victim/d0");

    public void Dispose() => root.Dispose();

    [Fact]
    public void Commit() => Race(_ => Below("source"), round => ["commit", "-q", "-b", $"new{round % 2}", Source]);

    [Fact]
    public void Commit_that_consumes() => Race(
        _ => [.. Below("source"), .. Below(".source.consumed"), .. Below(".source.consumed/source"), .. Below(".source.consumed/tree")],
        _ =>
        {
            Clear("source");
            Fill("source", Directories, "open");
            return ["commit", "-q", "--consume", "-b", "new", Source];
        });

    [Fact]
    public void Checkout_in_the_place_of_a_root() => Race(
        round => OfRoot("r1", round),
        round =>
        {
            Make("r1");
            string[] copy = round % 2 == 0 ? [] : ["--copy"];
            return ["checkout", "-q", "--force", .. copy, "a", root.At("r1")];
        });

    [Fact]
    public void Checkout_from_a_root() => Race(
        round => [.. OfRoot("r1", round), .. OfRoot("r2", round)],
        round =>
        {
            Clear("r2");
            Make("r1");
            return ["checkout", "-q", "--from", root.At("r1"), "b", root.At("r2")];
        });

    [Fact]
    public void Checkout_over_a_directory() => Race(
        _ => Below("over"),
        round =>
        {
            Clear("over");
            Fill("over", Directories, "below");
            string[] copy = round % 2 == 0 ? [] : ["--copy"];
            return ["checkout", "-q", "--union", .. copy, "a", root.At("over")];
        });

    [Fact]
    public void Removal_of_a_root() => Race(
        round => OfRoot("r1", round),
        _ =>
        {
            Make("r1");
            return ["roots", "rm", root.At("r1")];
        });

    [Fact]
    public void Collection_of_litter()
    {
        Tools.Require("strace");
        string[] kill = ["-f", "-qq", "-o", "/dev/null", "-e", "trace=linkat", "-e", "inject=linkat:signal=KILL:when=40"];
        Race(
            _ => Below(".r1.partial"),
            round =>
            {
                Clear("r1");
                Tools.Run("strace", [.. kill, Hacktree.Path, .. root.Arguments("checkout", "a", root.At("r1"))]);
                Assert.True(Directory.Exists(root.At(".r1.partial")));
                return ["gc", "-q"];
            });
    }

    [Fact]
    public void Extraction_of_an_initrd()
    {
        Tools.Require("cpio");
        Tools.Run("bash", "-ec", $"cd {Source}; find . | sort | cpio -o -H newc --quiet > ../initrd").Succeeded();
        Race(
            _ => Below("extracted"),
            _ =>
            {
                Clear("extracted");
                return ["initrd", "extract", root.At("initrd"), root.At("extracted")];
            });
    }

    /// <summary>The hard links are there before the command makes its files, and again after that.</summary>
    [Fact]
    public void Extraction_of_an_initrd_over_hard_links()
    {
        Tools.Require("cpio");
        string[] exchanged = ["d1/f1", "d3/f3", "d5/pipe", "d7/f3", "d9/link", "d10/more", "d11/pipe"];
        string pack = $"cd {Source}; ln -s f0 d9/link; ln d10/f1 d10/more; chown -hR 7:8 .; find . | sort | cpio -o -H newc --quiet > ../initrd";
        Tools.Run("bash", "-ec", pack).Succeeded();
        Race(
            _ => exchanged.Select(path => (root.At($"extracted/{path}"), $"{Victim}/f0")),
            _ =>
            {
                Clear("extracted");
                return ["initrd", "extract", root.At("initrd"), root.At("extracted")];
            },
            hasHardLinks: true);
    }

    /// <summary>Runs a command some times while names are exchanged.</summary>
    private void Race(Func<int, IEnumerable<(string Path, string Target)>> pairs, Func<int, string[]> prepare, bool hasHardLinks = false)
    {
        string[] before = Comparison.Lines(root.At("victim"));
        string inodes = Inodes(hasHardLinks);

        // A quick command on a quiet machine may end before the first exchange, many times over.
        int rounds = PhysicalRoot.Rounds(10);
        for (int round = 0; round < rounds || (swaps == 0 && round < 30 * rounds); round++)
        {
            string[] command = prepare(round);
            ToolResult result;
            using (var swapper = new Swapper(pairs(round), hasHardLinks))
            {
                result = root.Run(command);
                swaps += swapper.Swaps;
            }

            if (result.ExitCode != 0)
            {
                Hacktree.Refused(result);
            }

            Assert.Equal(inodes, Inodes(hasHardLinks));
        }

        Assert.True(swaps > 0, "nothing was exchanged");
        Assert.Equal(before, Comparison.Lines(root.At("victim")));
        string digest = Verity.Compute(secret).ToString();
        Assert.Empty(Directory.GetFiles(root.At("objects/files"), $"{digest[2..]}*", SearchOption.AllDirectories));
        root.AssertSound();
    }

    /// <summary>Each inode of the victim. Its change time tells of any change of it, and of a name more. The hard links are such names.</summary>
    private string Inodes(bool hasHardLinks) =>
        Tools.Run("find", root.At("victim"), "-printf", $"%P %i %m %U %G %s %T@{(hasHardLinks ? "" : " %n %C@")}\\n").Succeeded();

    private IEnumerable<(string Path, string Target)> Below(string tree) => Swapped.Select(path => ($"{root.At(tree)}/{path}", Target(path)));

    /// <summary>
    /// What is in a root, under its own name and while it is made or removed; in other rounds the root itself. Both at once would lead the names in it
    /// to the victim.
    /// </summary>
    private (string Path, string Target)[] OfRoot(string name, int round) => round % 3 == 0
        ? [(root.At(name), root.At("victim")), (root.At($".{name}.partial"), root.At("victim"))]
        : [.. Below(name), .. Below($".{name}.partial")];

    private string Target(string path) => Path.GetFileName(path) switch
    {
        "pipe" or "f1" => $"{Victim}/f0",
        "sub" => $"{Victim}/sub",
        _ => Victim,
    };

    /// <summary>A tree of directories with the same names in each.</summary>
    private void Fill(string name, int count, string content)
    {
        for (int i = 0; i < count; i++)
        {
            foreach (string directory in new[] { root.At($"{name}/d{i}"), root.At($"{name}/d{i}/sub") })
            {
                Directory.CreateDirectory(directory);
                Enumerable.Range(0, 4).ToList().ForEach(file => File.WriteAllText($"{directory}/f{file}", $"{content} {i} {file} {directory.Length}"));
                Sys.MakeNode(Sys.WorkingDirectory, ByteText.FromArgument($"{directory}/pipe"), FileType.Fifo, FileModes.PublicFile, 0, 0)
                    .ThrowIfFailed("mknodat", directory);
            }
        }
    }

    private void Clear(string name) => Tools.Run("bash", "-c", $"rm -rf {root.At(name)} {root.At($".{name}")}.partial* {root.At(name)}.swap {root.At($".{name}.consumed")}").Succeeded();

    /// <summary>Makes a root of the commit a, if it is not there.</summary>
    private void Make(string name)
    {
        Clear(name);
        root.Ok("gc", "-q");
        root.Ok("checkout", "-q", "a", root.At(name));
    }
}
