using System.Text.RegularExpressions;
using HackTree.Tests.Boot;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>Files that commands write outside the store: durable before they have their names, whole or not there, and nothing is left beside them.</summary>
public sealed class DurableOutputTests
{
    private const int Killed = 128 + 9;

    public static TheoryData<string, int> Filesystems => new() { { "ext4", 16 }, { "xfs", 300 }, { "btrfs", 120 } };

    [Theory]
    [MemberData(nameof(Filesystems))]
    public void Content_is_durable_before_the_name_and_the_name_after_it(string type, int megabytes)
    {
        Tools.Require("strace", "cpio");
        using var disk = new LoopFilesystem(type, megabytes);
        using var root = new PhysicalRoot();
        Commit(root);
        File.WriteAllBytes(disk.At("initrd"), InitrdSamples.Get("gzip"));
        foreach (string[] command in new string[][]
        {
            [.. root.Arguments("export", "main", "--tar"), disk.At("root.tar")],
            [.. root.Arguments("export", "main", "--tar"), disk.At("root.tar")],
            ["initrd", "patch", disk.At("initrd"), disk.At("initrd")],
            ["initrd", "segment", "-o", disk.At("segment")],
        })
        {
            AssertDurable(command, disk.Path, Path.GetFileName(command[^1]));
        }

        Assert.Equal(["initrd", "root.tar", "segment"], Names(disk.Path));
    }

    [Fact]
    public void Without_unnamed_files_it_is_the_same()
    {
        // strace answers as FAT and NFS do.
        Tools.Require("strace");
        using var root = new PhysicalRoot();
        using var temp = new TempDirectory();
        Commit(root);
        string[] command = root.Arguments("export", "main", "--tar", temp.At("root.tar"));
        for (int round = 0; round < 2; round++)
        {
            string[] opens = Trace(command, ["-e", "trace=openat"]);
            string maker = opens.First(line => line.Contains("O_TMPFILE", StringComparison.Ordinal)).Split(' ')[0];
            int unnamed = opens.Where(line => line.Split(' ')[0] == maker).TakeWhile(line => !line.Contains("O_TMPFILE", StringComparison.Ordinal)).Count();
            string[] failing = ["-e", "trace=openat,fsync,linkat,renameat,renameat2", "-e", $"inject=openat:error=EOPNOTSUPP:when={unnamed + 1}"];
            string[] calls = Trace(command, failing);
            Assert.Contains(calls, line => line.Contains("root.tar.", StringComparison.Ordinal) && line.Contains("O_EXCL", StringComparison.Ordinal));
            AssertOrder(calls, temp.Path, "root.tar");
            Assert.Equal(["root.tar"], Names(temp.Path));
        }
    }

    [Theory]
    [MemberData(nameof(Filesystems))]
    public void A_full_disk_leaves_the_old_archive_and_nothing_else(string type, int megabytes)
    {
        using var disk = new LoopFilesystem(type, megabytes);
        using var root = new PhysicalRoot();
        using var source = new TempDirectory();
        byte[] large = new byte[megabytes * 1024 * 1024];
        new Random(1).NextBytes(large);
        source.Write("large", large);
        root.Ok("commit", "-b", "large", source.Path);
        Commit(root);
        root.Ok("export", "main", "--tar", disk.At("root.tar"));
        byte[] before = File.ReadAllBytes(disk.At("root.tar"));
        foreach (string name in new[] { "root.tar", "new.tar" })
        {
            Assert.Contains($"{name}: no space left", root.Refused("export", "-q", "large", "--tar", disk.At(name)), StringComparison.Ordinal);
            Assert.Equal(before, File.ReadAllBytes(disk.At("root.tar")));
            Assert.Equal(["root.tar"], Names(disk.Path));
        }
    }

    [Fact]
    public void An_export_that_is_killed_leaves_nothing_but_a_whole_archive()
    {
        Tools.Require("strace");
        using var root = new PhysicalRoot();
        using var temp = new TempDirectory();
        Commit(root);
        root.Ok("export", "main", "--tar", temp.At("whole"));
        byte[] whole = File.ReadAllBytes(temp.At("whole"));
        byte[] old = [1, 2, 3];
        foreach (bool isThere in new[] { false, true })
        {
            foreach ((string call, int number) in new[] { ("write", 1), ("write", 2), ("fsync", 1), ("linkat", 1), ("linkat", 2), ("renameat", 1), ("fsync", 2) })
            {
                File.Delete(temp.At("root.tar"));
                if (isThere)
                {
                    temp.Write("root.tar", old);
                }

                string[] strace = ["-f", "-o", "/dev/null", "-e", $"trace={call}", "-e", $"inject={call}:signal=KILL:when={number}"];
                ToolResult result = Tools.Run("strace", [.. strace, Hacktree.Path, .. root.Arguments("export", "-q", "main", "--tar", temp.At("root.tar"))]);
                Assert.True(result.ExitCode == Killed || !isThere, $"{call} {number}: exit code {result.ExitCode}");
                byte[]? found = File.Exists(temp.At("root.tar")) ? File.ReadAllBytes(temp.At("root.tar")) : null;
                Assert.True(found is null ? !isThere : found.AsSpan().SequenceEqual(whole) || found.AsSpan().SequenceEqual(old), $"{call} {number}: {found?.Length} bytes");

                // In the moment between a file's temporary name and its own, what stays is a whole archive.
                string[] left = [.. Names(temp.Path).Except(["root.tar", "whole"])];
                Assert.Equal(isThere && call == "renameat" ? 1 : 0, left.Length);
                foreach (string name in left)
                {
                    Assert.Matches("^root\\.tar\\.[0-9a-f]{32}\\.partial$", name);
                    Assert.Equal(whole, File.ReadAllBytes(temp.At(name)));
                    File.Delete(temp.At(name));
                }
            }
        }
    }

    /// <summary>Runs a command that writes <paramref name="name"/>, and looks at the order of its system calls.</summary>
    internal static void AssertDurable(string[] command, string directory, string name) =>
        AssertOrder(Trace(command, ["-e", "trace=fsync,linkat,renameat,renameat2"]), directory, name);

    private static void AssertOrder(string[] calls, string directory, string name)
    {
        string told = string.Join('\n', calls);
        int named = Array.FindIndex(calls, line => Regex.IsMatch(line, $"(linkat|renameat2?)\\(.*, \"{Regex.Escape(name)}\".*= 0$"));
        int content = Array.FindLastIndex(calls, Math.Max(named, 0), line => line.Contains($"<{directory}/", StringComparison.Ordinal) && Regex.IsMatch(line, "fsync\\(.*= 0$"));
        int after = Array.FindIndex(calls, line => Regex.IsMatch(line, $"fsync\\(\\d+<{Regex.Escape(directory)}>\\) += 0$"));
        Assert.True(content >= 0 && content < named && named < after, told);
    }

    /// <summary>The lines of strace, with the paths of descriptors, of a command that must succeed.</summary>
    private static string[] Trace(string[] command, string[] options)
    {
        using var temp = new TempDirectory();
        Tools.Run("strace", ["-f", "-y", "-o", temp.At("trace"), .. options, Hacktree.Path, .. command]).Succeeded();
        return File.ReadAllLines(temp.At("trace"));
    }

    private static void Commit(PhysicalRoot root)
    {
        using var source = new TempDirectory();
        source.Write("file", new byte[300_000]);
        root.Ok("commit", "-b", "main", source.Path);
    }

    private static string[] Names(string path) =>
        [.. Directory.EnumerateFileSystemEntries(path).Select(found => Path.GetFileName(found)!).Where(name => name != "lost+found").Order(StringComparer.Ordinal)];
}
