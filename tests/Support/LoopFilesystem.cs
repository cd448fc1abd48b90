using HackTree.Linux;

namespace HackTree.Tests.Support;

/// <summary>A separate filesystem: an image file, mounted on a loop device. Needs root.</summary>
internal sealed class LoopFilesystem : IDisposable
{
    private readonly string type;
    private readonly string directory;
    private bool isMounted;

    /// <summary>Makes a filesystem (ext4, xfs or btrfs). Skips the test, saying why, if that is impossible.</summary>
    /// <param name="type">The name that mkfs and mount use.</param>
    /// <param name="megabytes">Its size. XFS needs 300, btrfs 110.</param>
    /// <param name="options">Further options for mkfs.</param>
    public LoopFilesystem(string type, int megabytes, params string[] options)
        : this(type, null, megabytes)
    {
        Tools.Require($"mkfs.{type}");
        using (FileStream image = File.Create(Image))
        {
            image.SetLength(megabytes * 1024L * 1024);
        }

        string quiet = type == "ext4" ? "-qF" : "-qf";
        Tools.Run($"mkfs.{type}", [quiet, .. options, Image]).Succeeded();
        Mount();
    }

    /// <summary>Uses an existing image, such as a copy of another one. It is not mounted yet.</summary>
    public LoopFilesystem(string type, string image)
        : this(type, image, 0)
    {
    }

    private LoopFilesystem(string type, string? image, int megabytes)
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount filesystems");
        this.type = type;

        // The image is in memory if there is room, because these filesystems are synced often.
        long room = (megabytes + 1024L) * 1024 * 1024;
        string parent = Directory.Exists("/dev/shm") && new DriveInfo("/dev/shm").AvailableFreeSpace > room ? "/dev/shm" : "/tmp";
        directory = System.IO.Path.Combine(parent, $"hacktree-{Guid.NewGuid():N}");
        Image = image ?? System.IO.Path.Combine(directory, "image");
        Path = System.IO.Path.Combine(directory, "mounted");
        Directory.CreateDirectory(Path);
    }

    /// <summary>The image file.</summary>
    public string Image { get; }

    /// <summary>The mount point.</summary>
    public string Path { get; }

    /// <summary>The path of a name in the filesystem.</summary>
    public string At(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Bytes that any user can still use.</summary>
    public long FreeBytes => new DriveInfo(Path).AvailableFreeSpace;

    public void Mount()
    {
        // A copy has the identity of its original, which XFS would refuse.
        string options = type == "xfs" ? "loop,nouuid" : "loop";
        ToolResult result = Tools.Run("mount", "-t", type, "-o", options, Image, Path);
        Assert.SkipWhen(result.Error.Contains("unknown filesystem type", StringComparison.Ordinal), $"this kernel has no {type}");
        result.Succeeded();
        isMounted = true;
    }

    public void Unmount()
    {
        Tools.Unmount(Path);
        isMounted = false;
    }

    public void Dispose()
    {
        if (isMounted)
        {
            // The unmount is lazy, because a failed test may have left files open.
            Tools.Run("umount", "-l", Path);
        }

        Tools.Run("rm", "-rf", "--one-file-system", directory);
    }
}
