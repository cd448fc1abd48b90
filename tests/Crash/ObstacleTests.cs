using System.Net.Sockets;
using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>One bad thing in a store does not stop the rest: gc goes on, says what stood in the way, and exits with 1.</summary>
public sealed class ObstacleTests : IDisposable
{
    private readonly PhysicalRoot root = new();

    public ObstacleTests()
    {
        Commit("kept", "k");
        Commit("dropped", "d", 30);
        root.Ok("refs", "delete", "dropped");
    }

    public void Dispose()
    {
        _ = Tools.Run("chattr", "-R", "-i", root.Path);
        root.Dispose();
    }

    [Theory]
    [InlineData("+i")]
    [InlineData("+a")]
    public void An_object_that_nobody_can_remove(string attribute)
    {
        string fixedObject = Objects().First(path => File.ReadAllText(path).StartsWith('d'));
        Fix(fixedObject, attribute);

        AssertObstacle(fixedObject, "chattr");

        Assert.Equal(2, Objects().Length);
        Fix(fixedObject, attribute.Replace('+', '-'));
        root.AssertCleanAfterGc();
        Assert.Single(Objects());
    }

    [Fact]
    public void A_pack_that_nobody_can_remove_keeps_its_objects()
    {
        string[] packs = Directory.GetFiles($"{root.Store}/packs");
        Commit("gone", "g");
        string dead = Assert.Single(Directory.GetFiles($"{root.Store}/packs").Except(packs));
        root.Ok("refs", "delete", "gone");
        Fix(dead, "+i");

        AssertObstacle(dead, "chattr");

        root.AssertEveryCommitWhole();
        Assert.Equal(2, Objects().Length);
        Fix(dead, "-i");
        root.AssertCleanAfterGc();
        Assert.Single(Objects());
    }

    [Fact]
    public void A_pack_of_trees_that_nobody_can_remove_keeps_their_objects()
    {
        // A commit that goes leaves a pack with the one tree that the other needs too.
        string source = root.At("source");
        Directory.CreateDirectory($"{source}/shared");
        File.WriteAllText($"{source}/shared/file", "shared");
        root.Ok("commit", "-b", "first", source);
        File.WriteAllText($"{source}/more", "more");
        root.Ok("commit", "-b", "second", source);
        root.Ok("refs", "delete", "first");
        string[] packs = Directory.GetFiles($"{root.Store}/packs");
        root.Ok("gc");
        string trees = Assert.Single(Directory.GetFiles($"{root.Store}/packs").Except(packs));
        root.Ok("refs", "delete", "second");
        Fix(trees, "+i");

        AssertObstacle(trees, "chattr");

        Assert.Equal(["k0", "shared"], Objects().Select(File.ReadAllText).Order());
        Fix(trees, "-i");
        root.AssertCleanAfterGc();
        Assert.Single(Objects());
    }

    [Fact]
    public void Litter_that_nobody_can_remove()
    {
        File.WriteAllText($"{root.Store}/tmp/left", "");
        File.WriteAllText($"{root.Store}/tmp/other", "");
        Fix($"{root.Store}/tmp/left", "+i");

        AssertObstacle($"{root.Store}/tmp/left", "chattr");

        Assert.Equal([$"{root.Store}/tmp/left"], Directory.GetFiles($"{root.Store}/tmp"));
    }

    [Fact]
    public void An_abandoned_root_with_a_file_that_nobody_can_remove()
    {
        string partial = root.At(".r1.partial");
        Tools.Require("strace");
        root.Ok("checkout", "kept", root.At("r0"));
        string[] kill = ["-f", "-o", "/dev/null", "-e", "trace=renameat2", "-e", "inject=renameat2:signal=KILL:when=1"];
        _ = Tools.Run("strace", [.. kill, Hacktree.Path, .. root.Arguments("checkout", "--copy", "kept", root.At("r1"))]);
        Assert.SkipUnless(Directory.Exists(partial), "the checkout was not killed in time");
        Directory.CreateDirectory(partial + "/a/b");
        File.WriteAllText(partial + "/a/b/fixed", "");
        File.WriteAllText(partial + "/a/other", "");
        Fix(partial + "/a/b/fixed", "+i");

        AssertObstacle("/a/b/fixed", "chattr");

        Assert.False(Directory.Exists(partial));
        string rest = Assert.Single(Directory.GetFiles($"{root.Store}/tmp", "*", SearchOption.AllDirectories));
        Assert.EndsWith("/a/b/fixed", rest, StringComparison.Ordinal);
        Fix(rest, "-i");
        root.AssertCleanAfterGc();
    }

    [Theory]
    [InlineData("roots/bad.json")]
    [InlineData("roots/bad.partial.json")]
    public void A_damaged_record(string record)
    {
        File.WriteAllText($"{root.Store}/{record}", "{ damaged");
        AssertObstacle($"{root.Store}/{record}", "damaged");
        Assert.Single(Objects());
        root.Ok("du");
        Assert.Contains("damaged", root.Refused("roots"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_record_keeps_the_commit_that_it_names()
    {
        string commit = Commit("rooted", "r");
        root.Ok("checkout", "rooted", root.At("r1"));
        root.Ok("refs", "delete", "rooted");
        string record = $"{root.Store}/roots/r1.json";
        File.WriteAllText(record, File.ReadAllText(record).Replace("Ready", "Reapy", StringComparison.Ordinal));

        AssertObstacle(record, "damaged");

        root.Ok("ls", commit);
        Assert.Equal(2, Objects().Length);
    }

    [Theory]
    [InlineData("main~")]
    [InlineData("#main#")]
    [InlineData("-x")]
    public void A_file_in_refs_that_is_no_ref_and_keeps_what_it_names(string name)
    {
        string commit = Commit("copied", "c");
        File.Move($"{root.Store}/refs/copied", $"{root.Store}/refs/{name}");

        AssertObstacle($"{root.Store}/refs/{name}", "rm ");

        root.Ok("ls", commit);
        Assert.Equal(2, Objects().Length);
        root.Ok("du");
        root.Ok("refs");
    }

    [Theory]
    [InlineData(".kept.swp")]
    [InlineData(".nfs0000000000a1b2c300000001")]
    [InlineData("a/.x.Qw3rTy")]
    public void A_hidden_file_in_refs_is_passed_over(string name)
    {
        Directory.CreateDirectory(Path.GetDirectoryName($"{root.Store}/refs/{name}")!);
        File.WriteAllText($"{root.Store}/refs/{name}", "");
        root.Ok("gc");
        root.Ok("du");
        Assert.Contains("kept", root.Ok("refs"), StringComparison.Ordinal);
        Assert.Single(Objects());
    }

    [Theory]
    [InlineData("refs/sock")]
    [InlineData("roots/sock.json")]
    public void A_socket_in_the_place_of_a_file(string name)
    {
        string path = $"{root.Store}/{name}";
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));
        AssertObstacle(path, "rm ");
        Assert.Single(Objects());
        root.Ok("du");
    }

    [Fact]
    public void Directories_that_hold_nothing_may_be_missing()
    {
        root.Ok("gc");
        root.Ok("checkout", "--copy", "kept", root.At("r1"));
        root.Ok("roots", "rm", "r1");
        Directory.Delete($"{root.Store}/tmp", recursive: true);
        Directory.Delete($"{root.Store}/roots", recursive: true);
        Directory.Delete($"{root.Store}/logs", recursive: true);
        string[] fans = [.. Directory.GetDirectories($"{root.Store}/files").Where(fan => Directory.GetFiles(fan).Length == 0)];
        Assert.Equal(255, fans.Length);
        Array.ForEach(fans, Directory.Delete);

        foreach (string[] command in new string[][] { ["refs"], ["cat", "kept", "k0"], ["ls", "kept"], ["roots"], ["du"], ["fsck"], ["gc", "--dry-run"], ["log", "kept"] })
        {
            root.Ok(command);
        }

        Assert.False(Directory.Exists($"{root.Store}/tmp") || Directory.Exists($"{root.Store}/roots") || Directory.Exists(fans[0]));
        Commit("more", "m", 20);
        Assert.Equal(256, Directory.GetDirectories($"{root.Store}/files").Length);
        root.Ok("checkout", "more", root.At("r1"));
        root.AssertSound();
        root.AssertCleanAfterGc();
    }

    private string Commit(string name, string prefix, int files = 1)
    {
        string source = root.At($"source-{name}");
        Directory.CreateDirectory(source);
        for (int i = 0; i < files; i++)
        {
            File.WriteAllText($"{source}/{prefix}{i}", $"{prefix}{i}");
        }

        return root.Ok("commit", "-b", name, source);
    }

    private string[] Objects() => Directory.GetFiles($"{root.Store}/files", "*", SearchOption.AllDirectories);

    private static void Fix(string path, string attribute)
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can make a file immutable");
        Tools.Require("chattr");
        Assert.SkipWhen(Tools.Run("chattr", attribute, path).ExitCode != 0, "this filesystem has no immutable files");
    }

    private void AssertObstacle(string path, string remedy)
    {
        ToolResult result = root.Run("gc");
        Assert.True(result.ExitCode == 1, $"exit code {result.ExitCode}: {result.Error}");
        string[] lines = result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);
        Assert.Contains(path, lines[0], StringComparison.Ordinal);
        Assert.Contains(remedy, lines[0], StringComparison.Ordinal);
        Assert.Contains("all else was done", lines[1], StringComparison.Ordinal);
    }
}
