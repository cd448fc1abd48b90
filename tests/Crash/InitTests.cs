using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>An init that is killed or fails: the next one makes the store.</summary>
public sealed class InitTests : IDisposable
{
    private readonly TempDirectory directory = new();

    private string Store => directory.At("objects");

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData("mkdirat", 1)]
    [InlineData("mkdirat", 2)]
    [InlineData("mkdirat", 100)]
    [InlineData("mkdirat", 262)]
    [InlineData("syncfs", 1)]
    [InlineData("renameat", 1)]
    [InlineData("fsync", 1)]
    public void What_a_killed_one_left_is_finished_by_the_next(string call, int when)
    {
        Hacktree.Require();
        Tools.Require("strace");
        string[] kill = ["-f", "-qq", "-o", "/dev/null", "-e", $"trace={call}", "-e", $"inject={call}:signal=KILL:when={when}"];
        Assert.NotEqual(0, Tools.Run("strace", [.. kill, Hacktree.Path, "--store", Store, "init"]).ExitCode);
        if (!File.Exists($"{Store}/format"))
        {
            Hacktree.Run("--store", Store, "init").Succeeded();
        }

        var root = new PhysicalRoot(directory.Path);
        root.AssertSound();
        SourceTree.Make(root.At("source"), 1);
        root.Ok("commit", "-b", "main", root.At("source"));
        root.AssertSound();
        root.AssertCleanAfterGc();
    }

    [Theory]
    [InlineData("mkdirat", 2)]
    [InlineData("mkdirat", 100)]
    [InlineData("syncfs", 1)]
    [InlineData("renameat", 1)]
    public void One_that_fails_leaves_nothing_and_says_what_helps(string call, int when)
    {
        Hacktree.Require();
        Tools.Require("strace");
        string[] fail = ["-f", "-qq", "-o", "/dev/null", "-e", $"trace={call}", "-e", $"inject={call}:error=ENOSPC:when={when}"];
        string told = Hacktree.Refused(Tools.Run("strace", [.. fail, Hacktree.Path, "--store", Store, "init"]));
        Assert.Contains("free some and try again", told, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(directory.Path));
        Hacktree.Run("--store", Store, "init").Succeeded();
    }

    [Theory]
    [InlineData("file")]
    [InlineData("files/ab/object")]
    [InlineData("refs/main")]
    [InlineData("tmp/mine")]
    [InlineData("packs/x.pack")]
    [InlineData("objects/files/00")]
    public void What_is_no_unfinished_store_is_left_alone(string name)
    {
        Hacktree.Require();
        Directory.CreateDirectory(Path.GetDirectoryName($"{Store}/{name}")!);
        File.WriteAllText($"{Store}/{name}", "precious");
        Assert.Contains("not empty", Hacktree.Refused(Hacktree.Run("--store", Store, "init")), StringComparison.Ordinal);
        Assert.Equal("precious", File.ReadAllText($"{Store}/{name}"));
    }

    [Fact]
    public async Task Of_two_at_once_one_makes_the_store()
    {
        Hacktree.Require();
        ToolResult[] results = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Hacktree.RunBeside("--store", Store, "init")));
        Assert.Single(results, result => result.ExitCode == 0);
        Assert.All(results.Where(result => result.ExitCode != 0), result => Hacktree.Refused(result));
        new PhysicalRoot(directory.Path).AssertSound();
    }
}
