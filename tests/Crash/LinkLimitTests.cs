using System.Text;
using HackTree.Linux;
using HackTree.Tests.Support;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Crash;

/// <summary>ext4 allows 65,000 names for one file.</summary>
public sealed class LinkLimitTests
{
    private const int Files = 40_000;

    [Fact]
    public async Task Two_checkouts_that_reach_the_limit_of_links_at_once_are_both_whole()
    {
        using var disk = new LoopFilesystem("ext4", 200);
        var root = new PhysicalRoot(disk.Path);
        string source = disk.At("source");
        Directory.CreateDirectory(source);
        File.WriteAllText(disk.At("source/0"), "the same for all");
        using (SafeFileHandle directory = Open(source))
        {
            for (int i = 1; i < Files; i++)
            {
                Sys.Link(directory, "0"u8, directory, Encoding.ASCII.GetBytes($"{i}")).ThrowIfFailed("linkat", source);
            }
        }

        root.Ok("commit", "-b", "main", source);
        ToolResult[] results = await Task.WhenAll(
            Hacktree.RunBeside(root.Arguments("checkout", "main", root.At("r1"))),
            Hacktree.RunBeside(root.Arguments("checkout", "main", root.At("r2"))));
        Assert.All(results, result => result.Succeeded());
        var inodes = new HashSet<ulong>();
        foreach (string place in new[] { "r1", "r2" })
        {
            string[] made = Directory.GetFiles(root.At(place));
            Assert.Equal(Files, made.Length);
            foreach (string path in made)
            {
                Sys.Stat(Sys.WorkingDirectory, Encoding.UTF8.GetBytes(path), out FileStatus status).ThrowIfFailed("statx", path);
                if (inodes.Add(status.Inode))
                {
                    Assert.Equal("the same for all", await File.ReadAllTextAsync(path, TestContext.Current.CancellationToken));
                }
            }
        }

        Assert.InRange(inodes.Count, 2, 4);
        root.AssertCleanAfterGc();
    }

    private static SafeFileHandle Open(string path)
    {
        Sys.Open(Sys.WorkingDirectory, Encoding.UTF8.GetBytes(path), OpenFlags.Directory, out SafeFileHandle directory).ThrowIfFailed("openat", path);
        return directory;
    }
}
