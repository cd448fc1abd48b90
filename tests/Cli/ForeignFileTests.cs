using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Cli;

/// <summary>Something else than a regular file has the name of a file of the store. It is refused and named, and never waited for.</summary>
public sealed class ForeignFileTests : IDisposable
{
    private static readonly string Pack = $"objects/packs/{new string('a', 64)}.pack";

    private readonly CliWorld world = new();

    public void Dispose() => world.Dispose();

    [Theory]
    [InlineData("mkfifo F")]
    [InlineData("mkdir F")]
    [InlineData("ln -s nowhere F")]
    [InlineData("mknod F c 1 3")]
    [InlineData("python3 -c 'from socket import *; socket(1).bind(\"s\")' && mv s F")]
    [InlineData("head -c 50000 /dev/zero > F")]
    [InlineData(": > F")]
    public void A_bad_pack_hides_no_other_and_is_named_where_something_is_missed(string make)
    {
        Assert.SkipUnless(Sys.IsRoot || !make.StartsWith("mknod", StringComparison.Ordinal), "only root can make a device");
        string commit = world.Commit();
        world.Shell(make.Replace("F", Pack, StringComparison.Ordinal)).Succeeded();
        foreach (string command in (string[])["log debian/test", $"show {commit[..12]}", "refs", "cat debian/test etc/passwd", "commit -b b tree", "checkout b r1", "diff b debian/test"])
        {
            world.Shell($"timeout 60 $H {command}").Succeeded();
        }

        foreach (string command in (string[])[$"show {new string('b', 64)}", $"log {new string('b', 12)}", "gc"])
        {
            ToolResult result = world.Shell($"timeout 60 $H {command}");
            Assert.Equal(1, result.ExitCode);
            Assert.True(CliWorld.IsOneSentence(result), result.Error);
            Assert.Contains(Pack, result.Error);
        }

        ToolResult found = world.Shell("timeout 60 $H fsck");
        Assert.Equal(3, found.ExitCode);
        Assert.Contains(Pack["objects/".Length..], found.Output);
        Assert.Contains("1 problem", found.Error);
    }

    [Theory]
    [InlineData("lock", "log debian/test")]
    [InlineData("format", "log debian/test")]
    [InlineData("refs/debian/test", "log debian/test")]
    [InlineData("logs/debian/test.log", "commit -b debian/test --subject again tree")]
    [InlineData("roots/r1.json", "roots")]
    public void A_fifo_in_the_place_of_a_file_is_refused_at_once(string file, string command)
    {
        world.Commit();
        world.Run("checkout", "-q", "debian/test", "r1").Succeeded();
        world.Shell($"rm objects/{file}; mkfifo objects/{file}").Succeeded();
        ToolResult result = world.Shell($"timeout 60 $H {command}");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains($"objects/{file}: ", result.Error);
        Assert.True(CliWorld.IsOneSentence(result), result.Error);
    }
}
