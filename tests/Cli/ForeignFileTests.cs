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

    [Theory]
    [InlineData("aliases/al.json", "ln -s /etc/passwd F")]
    [InlineData("aliases/al.json", "ln -s nowhere F")]
    [InlineData("aliases/al.json", "mkfifo F")]
    [InlineData("aliases/al.json", "mkdir F")]
    [InlineData("refs/b", "ln -s /etc/passwd F")]
    [InlineData("refs/b", "ln -s ../roots F")]
    [InlineData("refs/b", "mkfifo F")]
    public void What_is_in_the_place_of_one_ref_or_alias_hides_no_other(string file, string make)
    {
        world.Commit();
        world.Commit("b");
        world.Run("refs", "alias", "al", "debian/test").Succeeded();
        world.Shell($"rm objects/{file}; {make.Replace("F", $"objects/{file}", StringComparison.Ordinal)}").Succeeded();

        ToolResult listed = world.Run("refs");
        Assert.Equal(1, listed.ExitCode);
        Assert.Contains("debian/test ", listed.Output);
        Assert.Contains($"objects/{file}: it is not a regular file; ", listed.Error);
        Assert.True(CliWorld.IsOneSentence(listed), listed.Error);
        ToolResult found = world.Run("fsck");
        Assert.Equal(3, found.ExitCode);
        Assert.Contains($"{file}: it is not a regular file; ", found.Output);

        // What the sentence says helps.
        string advice = found.Output.Contains("`rm ", StringComparison.Ordinal) ? found.Output.Split('`')[1] : "$H refs set b debian/test";
        world.Shell(advice).Succeeded();
        Assert.Equal("", world.Run("fsck").Succeeded());
        world.Run("refs").Succeeded();
    }

    [Fact]
    public void A_link_in_the_place_of_a_directory_of_refs_hides_no_ref_and_no_alias()
    {
        world.Commit();
        world.Commit("x/y");
        world.Run("refs", "alias", "al", "x/y").Succeeded();
        world.Shell("rm -r objects/refs/x; ln -s /etc objects/refs/x").Succeeded();
        ToolResult listed = world.Run("refs");
        Assert.Equal(1, listed.ExitCode);
        Assert.Contains("debian/test ", listed.Output);
        Assert.Contains("objects/refs/x/y: a symbolic link stands in the way", listed.Error);
        Assert.Contains("refs/x: it is not a regular file; ", world.Run("fsck").Output);
    }

    [Theory]
    [InlineData("ln -s /etc/passwd F")]
    [InlineData("ln -s nowhere F")]
    [InlineData("mkfifo F")]
    [InlineData("mkdir F")]
    public void What_is_in_the_place_of_a_log_is_found_and_the_advice_helps(string make)
    {
        world.Commit();
        const string Log = "objects/logs/debian/test.log";
        world.Shell($"rm {Log}; {make.Replace("F", Log, StringComparison.Ordinal)}").Succeeded();
        string advice = $"rm {(make.StartsWith("mkdir", StringComparison.Ordinal) ? "-r " : "")}{world.At(Log)}";
        world.Refuses(1, $"{Log}: it is not a regular file; move it away, or remove it: `{advice}`", ["refs", "set", "debian/test", "debian/test"]);
        ToolResult found = world.Run("fsck");
        Assert.Equal((3, "logs/debian/test.log: not the log of a ref; move it away\n"), (found.ExitCode, found.Output));
        world.Shell(advice).Succeeded();
        world.Commit();
        Assert.Equal("", world.Run("fsck").Succeeded());
    }

    [Fact]
    public void A_file_where_logs_need_a_directory_is_found()
    {
        world.Commit();
        world.Shell("touch objects/logs/x").Succeeded();
        Assert.Equal("logs/x: not the log of a ref; move it away\n", world.Run("fsck").Output);
    }

    [Fact]
    public void What_is_in_the_place_of_a_turn_is_named_and_not_the_record()
    {
        world.Commit();
        world.Shell("mkdir objects/tmp/building-r1").Succeeded();
        string turn = world.At("objects/tmp/building-r1");
        world.Refuses(1, $"{turn}: it is not a regular file; move it away, or remove it: `rm -r {turn}`", ["checkout", "debian/test", "r1"]);
    }
}
