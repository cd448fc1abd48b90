using HackTree.Linux;

namespace HackTree.Tests.Support;

/// <summary>A filesystem of its own: an image file, loop-mounted. Only root can.</summary>
internal sealed class LoopFilesystem : IDisposable
{
    private readonly string type;
    private readonly string directory;
    private bool isMounted;

    /// <summary>Makes a filesystem (ext4, xfs or btrfs); skips the test, saying why, where that cannot be.</summary>
    /// <param name="type">What mkfs and mount call it.</param>
    /// <param name="megabytes">Its size; XFS wants 300, btrfs 110.</param>
    /// <param name="options">More for mkfs.</param>
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

    /// <summary>For an image that is there already, such as a copy of another's; not mounted yet.</summary>
    public LoopFilesystem(string type, string image)
        : this(type, image, 0)
    {
    }

    private LoopFilesystem(string type, string? image, int megabytes)
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can mount filesystems");
        this.type = type;

        // In memory where there is room: these filesystems are synced a lot.
        long room = (megabytes + 1024L) * 1024 * 1024;
        string parent = Directory.Exists("/dev/shm") && new DriveInfo("/dev/shm").AvailableFreeSpace > room ? "/dev/shm" : "/tmp";
        directory = System.IO.Path.Combine(parent, $"hacktree-{Guid.NewGuid():N}");
        Image = image ?? System.IO.Path.Combine(directory, "image");
        Path = System.IO.Path.Combine(directory, "mounted");
        Directory.CreateDirectory(Path);
    }

    /// <summary>The image file.</summary>
    public string Image { get; }

    /// <summary>Where it is mounted.</summary>
    public string Path { get; }

    /// <summary>The path of a name in it.</summary>
    public string At(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Bytes that are free for anybody.</summary>
    public long FreeBytes => new DriveInfo(Path).AvailableFreeSpace;

    public void Mount()
    {
        // A copy has its original's identity, which XFS would refuse.
        string options = type == "xfs" ? "loop,nouuid" : "loop";
        ToolResult result = Tools.Run("mount", "-t", type, "-o", options, Image, Path);
        Assert.SkipWhen(result.Error.Contains("unknown filesystem type", StringComparison.Ordinal), $"this kernel has no {type}");
        result.Succeeded();
        isMounted = true;
    }

    public void Unmount()
    {
        Tools.Run("umount", Path).Succeeded();
        isMounted = false;
    }

    public void Dispose()
    {
        if (isMounted)
        {
            // Lazily: what a failed test left open must not keep the mount.
            Tools.Run("umount", "-l", Path);
        }

        Tools.Run("rm", "-rf", "--one-file-system", directory);
    }
}
