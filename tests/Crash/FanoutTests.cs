using System.Globalization;
using System.Text.RegularExpressions;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>The 256 directories that objects lie in.</summary>
public sealed partial class FanoutTests : IDisposable
{
    private readonly PhysicalRoot root = new();

    public FanoutTests()
    {
        for (int i = 0; i < 1500; i++)
        {
            string directory = root.At($"source/d{i % 7}");
            Directory.CreateDirectory(directory);
            File.WriteAllText($"{directory}/f{i}", $"content {i}");
        }

        root.Ok("commit", "-b", "main", root.At("source"));
    }

    public void Dispose() => root.Dispose();

    [Fact]
    public void One_that_is_a_link_is_not_followed()
    {
        string ab = root.At("objects/files/ab"), elsewhere = root.At("elsewhere");
        Directory.Move(ab, elsewhere);
        File.CreateSymbolicLink(ab, elsewhere);
        string[] there = Directory.GetFileSystemEntries(elsewhere);
        Assert.NotEmpty(there);
        Assert.Contains("files/ab", root.Refused("checkout", "main", root.At("r1")), StringComparison.Ordinal);
        Assert.False(Directory.Exists(root.At("r1")));
        for (int i = 0; i < 1000; i++)
        {
            File.WriteAllText(root.At($"source/new{i}"), $"new {i}");
        }

        Assert.Contains("files/ab", root.Refused("commit", "-b", "main", root.At("source")), StringComparison.Ordinal);
        Assert.NotEqual(0, root.Run("fsck").ExitCode);
        Assert.NotEqual(0, root.Run("gc").ExitCode);
        Assert.Equal(there, Directory.GetFileSystemEntries(elsewhere));
    }

    /// <summary>The kernel's first table has room for 64; to make a longer one costs a program with threads some milliseconds.</summary>
    [Theory]
    [InlineData("checkout", "main", "r1")]
    [InlineData("commit", "-b", "main", "source")]
    [InlineData("gc")]
    [InlineData("fsck")]
    public void Few_files_are_open_at_a_time(params string[] command)
    {
        Tools.Require("strace");
        Tools.Require("taskset");
        string[] arguments = [.. command.Select(word => word is "r1" or "source" ? root.At(word) : word)];

        // Each thread has a path of the tree open, so that two of them say enough.
        ToolResult result = Tools.Run("taskset", ["-c", "0,1", "strace", "-f", "-e", "trace=openat,openat2,dup,fcntl", Hacktree.Path, .. root.Arguments(arguments)]);
        result.Succeeded();
        int[] opened = [.. Descriptor().Matches(result.Error).Select(match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture))];
        Assert.NotEmpty(opened);
        Assert.InRange(opened.Max(), 3, 63);
    }

    [GeneratedRegex(@"\) += (\d+)$", RegexOptions.Multiline)]
    private static partial Regex Descriptor();
}
