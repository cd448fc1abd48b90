using HackTree.Linux;
using HackTree.Tests.Crash;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>
/// Filesystems at one device, one after the other, whose files have equal inode numbers, times and sizes, and other content. The stat cache
/// must not know the files of the second by those of the first.
/// </summary>
[Collection(LoopTests.Name)]
public sealed class EqualImagesTests : IDisposable
{
    private const string First = "this is release 1 of the image", Second = "this is release 2 of the image";

    // StatCacheRule.MinimumAgeSeconds, and a little.
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2.2);

    private readonly PhysicalRoot root;
    private readonly string mounted;
    private readonly Stack<string> mounts = new();
    private string? device;

    public EqualImagesTests()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount images");
        root = new PhysicalRoot();
        mounted = Directory.CreateDirectory(root.At("mounted")).FullName;
    }

    public void Dispose()
    {
        UnmountAll();
        root.Dispose();
    }

    [Theory]
    [InlineData("squashfs", false)]
    [InlineData("erofs", false)]
    [InlineData("squashfs", true)]
    public void Images_made_alike_are_two(string type, bool isOverlay)
    {
        Tools.Require(type == "squashfs" ? "mksquashfs" : "mkfs.erofs");
        foreach ((string name, string content) in new[] { ("one", First), ("two", Second) })
        {
            string tree = Directory.CreateDirectory(root.At(name)).FullName, image = root.At($"{name}.img");
            File.WriteAllText(Path.Combine(tree, "release"), content);
            _ = type == "squashfs"
                ? Tools.Run("mksquashfs", tree, image, "-all-time", "1600000000", "-mkfs-time", "1600000000").Succeeded()
                : Tools.Run("mkfs.erofs", "-T1600000000", "-U22334455-6677-8899-aabb-ccddeeff0011", image, tree).Succeeded();
        }

        RequireTwo(type, "ro", isOverlay);
    }

    [Theory]
    [InlineData("ext4", "rw")]
    [InlineData("ext4", "ro")]
    [InlineData("xfs", "rw")]
    [InlineData("btrfs", "rw")]
    public void A_copy_that_was_written_to_beneath_its_filesystem_is_another(string type, string access)
    {
        using (var filesystem = type == "ext4" ? new LoopFilesystem(type, 64, "-b", "4096") : new LoopFilesystem(type, 320))
        {
            // Without its sum, btrfs reads a block that was changed.
            File.WriteAllText(filesystem.At("release"), "");
            Tools.Run("sh", "-c", $"chattr +C {filesystem.At("release")} 2> /dev/null; true").Succeeded();
            File.WriteAllText(filesystem.At("release"), First + new string('.', 5000));
            filesystem.Unmount();
            foreach (string name in new[] { "one.img", "two.img" })
            {
                Tools.Run("cp", "--sparse=always", filesystem.Image, root.At(name)).Succeeded();
            }
        }

        Overwrite(root.At("two.img"));
        Thread.Sleep(Settling);
        RequireTwo(type, type == "xfs" ? $"{access},nouuid" : access, isOverlay: false);
    }

    [Theory]
    [InlineData("ext4")]
    [InlineData("xfs")]
    [InlineData("btrfs")]
    [InlineData("tmpfs")]
    public void While_it_stays_mounted_an_unchanged_file_is_known(string type)
    {
        Tools.Require("strace");
        using LoopFilesystem? filesystem = type == "tmpfs" ? null : new LoopFilesystem(type, type == "ext4" ? 64 : 320);
        if (filesystem is null)
        {
            Mount(mounted, "-t", "tmpfs", "tmpfs");
        }

        string tree = filesystem?.Path ?? mounted;
        File.WriteAllText(Path.Combine(tree, "release"), First);
        Thread.Sleep(Settling);
        root.Ok("commit", "-b", "main", tree);
        Assert.False(IsRead(tree));

        // Another mount of the same filesystem shows the same files. Through a mount that cannot be written to, none is known.
        string again = Directory.CreateDirectory(root.At("again")).FullName;
        Mount(again, "--bind", tree);
        Assert.False(IsRead(again));
        Tools.Run("mount", "-o", "remount,bind,ro", again).Succeeded();
        Assert.True(IsRead(again));
    }

    [Fact]
    public void A_file_of_a_root_on_overlayfs_is_not_its_object_because_of_its_inode_number()
    {
        string lower = Directory.CreateDirectory(root.At("lower")).FullName;
        Directory.CreateDirectory(root.At("upper"));
        Directory.CreateDirectory(root.At("work"));
        string tree = Directory.CreateDirectory(root.At("source")).FullName;
        File.WriteAllText(Path.Combine(tree, "release"), First);
        var below = new PhysicalRoot(lower);
        below.Ok("commit", "-b", "main", tree);
        below.Ok("checkout", "main", below.At("r1"));
        Mount(mounted, "-t", "overlay", "overlay", "-o", $"lowerdir={lower},upperdir={root.At("upper")},workdir={root.At("work")}");

        // The changed file is a copy in the upper layer, and still has the inode number of the object.
        var above = new PhysicalRoot(mounted);
        string file = above.At("r1/release");
        Tools.Run("sh", "-ec", $"touch -r {file} {root.At("time")}; printf '{Second}' > {file}; touch -r {root.At("time")} {file}").Succeeded();
        ToolResult commit = above.Run("commit", "-b", "main", above.At("r1"));
        Assert.SkipWhen(commit.Error.Contains("O_TMPFILE", StringComparison.Ordinal), "this kernel's overlayfs can hold no store");
        commit.Succeeded();
        Assert.Equal(Second, above.Ok("cat", "main", "release"));
    }

    /// <summary>Commits two images that are mounted at one device in turn. Fails unless each commit has the content of its image.</summary>
    private void RequireTwo(string type, string options, bool isOverlay)
    {
        for (int tries = 0; tries < 5; tries++)
        {
            bool isSame = true;
            string? last = null;
            foreach ((string name, string content) in new[] { ("one", First), ("two", Second) })
            {
                device = Tools.Run("losetup", last is null ? ["-f", "--show", root.At($"{name}.img")] : [last, root.At($"{name}.img")]) is { ExitCode: 0 } set
                    ? last ?? set.Output.Trim()
                    : null;
                if (device is null)
                {
                    // Somebody else has taken the device.
                    isSame = false;
                    break;
                }

                last = device;
                string layer = isOverlay ? Directory.CreateDirectory(root.At("layer")).FullName : mounted;
                Mount(layer, "-t", type, "-o", options, device);
                if (isOverlay)
                {
                    Mount(mounted, "-t", "overlay", "overlay", "-o", $"lowerdir={layer}:{Directory.CreateDirectory(root.At("empty")).FullName}");
                }

                Assert.StartsWith(content, File.ReadAllText(Path.Combine(mounted, "release")), StringComparison.Ordinal);
                root.Ok("commit", "-b", name, mounted);
                Assert.StartsWith(content, root.Ok("cat", name, "release"), StringComparison.Ordinal);
                Assert.Equal(0, root.Run("diff", name, mounted).ExitCode);
                UnmountAll();
            }

            if (isSame)
            {
                return;
            }
        }

        Assert.Skip("no loop device stays free here");
    }

    /// <summary>Whether a commit opens the file.</summary>
    private bool IsRead(string tree)
    {
        string trace = root.At("trace");
        Tools.Run("strace", ["-f", "-e", "trace=openat", "-o", trace, Hacktree.Path, .. root.Arguments("commit", "-b", "main", tree)]).Succeeded();
        return File.ReadLines(trace).Any(line => line.Contains("\"release\"", StringComparison.Ordinal));
    }

    /// <summary>Puts the second content in the place of the first in an image, where no time says so.</summary>
    private static void Overwrite(string image)
    {
        byte[] block = new byte[4096];
        using FileStream file = File.Open(image, FileMode.Open, FileAccess.ReadWrite);
        int found = 0;
        for (long at = 0; file.ReadAtLeast(block, block.Length, throwOnEndOfStream: false) == block.Length; at += block.Length)
        {
            // The content begins at a block.
            if (block.AsSpan().StartsWith(System.Text.Encoding.ASCII.GetBytes(First)))
            {
                file.Position = at;
                file.Write(System.Text.Encoding.ASCII.GetBytes(Second));
                file.Position = at + block.Length;
                found++;
            }
        }

        Assert.Equal(1, found);
    }

    private void Mount(string point, params string[] arguments)
    {
        ToolResult result = Tools.Run("mount", [.. arguments, point]);
        Assert.SkipWhen(result.Error.Contains("unknown filesystem type", StringComparison.Ordinal), "this kernel lacks the filesystem");
        result.Succeeded();
        mounts.Push(point);
    }

    private void UnmountAll()
    {
        while (mounts.TryPop(out string? point))
        {
            Tools.Unmount(point);
        }

        if (device is not null)
        {
            Tools.Run("losetup", "-d", device);
            device = null;
        }
    }
}
