namespace HackTree.Bench.Compare;

/// <summary>
/// A fresh filesystem in a file, mounted. The file's name is removed after the mount, so that the file goes with the unmount or, after a
/// crash, with the next boot.
/// </summary>
internal sealed class LoopFilesystem : IDisposable
{
    internal static readonly IReadOnlyList<string> Kinds = ["ext4", "xfs", "btrfs"];

    private LoopFilesystem(string place) => Place = place;

    /// <summary>The mount point.</summary>
    internal string Place { get; }

    /// <summary>Makes and mounts a filesystem. <paramref name="size"/> is in the form of truncate(1). The file is sparse.</summary>
    internal static LoopFilesystem Make(string kind, string size, string imageDirectory)
    {
        string name = $"hacktree-bench-{Environment.ProcessId}";
        string image = Path.Combine(imageDirectory, name + ".img"), place = Path.Combine(Path.GetTempPath(), name);
        Directory.CreateDirectory(place);
        try
        {
            _ = Shell.Run("truncate", "-s", size, image);
            _ = Shell.Run([.. Mkfs(kind), image]);
            _ = Shell.Run("mount", "-o", "loop", image, place);
            return new LoopFilesystem(place);
        }
        catch
        {
            Directory.Delete(place);
            throw;
        }
        finally
        {
            File.Delete(image);
        }
    }

    /// <summary>The line in which mkfs prints its version.</summary>
    internal static string MkfsVersion(string kind)
    {
        (_, string output, string error) = Shell.Try("mkfs." + kind, "-V");
        return (output + error).Split('\n')[0];
    }

    public void Dispose()
    {
        // Another process (an indexer, a shell) may use the filesystem for a moment.
        for (int tries = 1; Shell.Try("umount", Place).Code != 0; tries++)
        {
            if (tries == 20)
            {
                throw new BenchException($"{Place}: cannot be unmounted; do it by hand");
            }

            Thread.Sleep(250);
        }

        Directory.Delete(Place);
    }

    /// <summary>
    /// The mkfs command that users would run. But ext4 must leave no work for later, which would run beside the timed commands.
    /// </summary>
    private static string[] Mkfs(string kind) => kind switch
    {
        "ext4" => ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"],
        "xfs" => ["mkfs.xfs", "-q", "-f"],
        "btrfs" => ["mkfs.btrfs", "-q", "-f"],
        _ => throw new ArgumentException($"no filesystem '{kind}'", nameof(kind)),
    };
}
