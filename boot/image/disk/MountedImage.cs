using System.Runtime.ExceptionServices;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// The Linux filesystem of an image, mounted for one piece of work. The mount is in the namespace of the thread that works. So no other
/// process sees it, and it ends with that thread and its programs even if this process is killed.
/// </summary>
internal sealed class MountedImage
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private MountedImage(string path, string uuid) => (Path, Uuid) = (path, uuid);

    /// <summary>The directory where the filesystem is mounted.</summary>
    internal string Path { get; }

    /// <summary>The filesystem's UUID.</summary>
    internal string Uuid { get; }

    /// <summary>Where / may be, if the disk's only ext4 filesystem does not hold it; otherwise null.</summary>
    internal string? WhyNoSystem { get; private init; }

    /// <summary>Mounts, works, unmounts. Throws <see cref="StoreException"/> if the image is in use or has no Linux filesystem.</summary>
    internal static T Run<T>(string image, Func<MountedImage, T> work) => Run(image, DiskExport.Open, work);

    /// <summary>The same with a copy of the image. The copy becomes another image after the work.</summary>
    internal static T RunCopy<T>(string image, string output, DiskFormat format, Func<MountedImage, T> work, CancellationToken stop) =>
        Run(image, path => DiskExport.OpenCopy(path, output, format, stop), work);

    private static T Run<T>(string image, Func<string, DiskExport> open, Func<MountedImage, T> work)
    {
        if (!Sys.IsRoot)
        {
            throw new StoreException($"{image}: only root can mount what is in an image; run it as root");
        }

        _ = DiskFormats.OfContent(image);
        using ImageLock held = ImageLock.Take(image);
        T? result = default;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                result = RunHere(image, open, work);
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        });
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result!;
    }

    private static T RunHere<T>(string image, Func<string, DiskExport> open, Func<MountedImage, T> work)
    {
        Sys.UnshareMounts().ThrowIfFailed("unshare", image);
        Tool.Mount.Run("--make-rslave", "/");
        string scratch = RealPath.Of(Directory.CreateTempSubdirectory("hacktree-image-").FullName);
        try
        {
            using DiskExport export = open(image);
            string point = System.IO.Path.Combine(scratch, "root");
            Directory.CreateDirectory(point);
            MountedImage mounted = Mount(image, export, point);
            T result;
            try
            {
                result = work(mounted);
            }
            finally
            {
                Unmount(image, export, point);
            }

            export.Complete();
            return result;
        }
        finally
        {
            // The directories are not removed recursively, because something may still be mounted there.
            TryRemove(System.IO.Path.Combine(scratch, "root"));
            TryRemove(scratch);
        }
    }

    /// <summary>
    /// Mounts the partition that holds a system, or the only ext4 partition. A partition that cannot be mounted is passed over, if another one
    /// holds a system.
    /// </summary>
    private static MountedImage Mount(string image, DiskExport export, string point)
    {
        List<(Partition Partition, string? Content)> contents = Contents(image, export.Path);
        List<Partition> found = [.. contents.Where(some => some.Content == Ext4.Name).Select(some => some.Partition)];
        List<string> facts = [.. contents
            .Where(some => some.Content is not (null or Ext4.Name))
            .Select(some => $"{PartitionContent.NameOf(some.Partition)} holds {some.Content}")];
        if (found.Count == 0)
        {
            string told = facts.Count > 0 ? $": {string.Join(", ", facts)}" : ", and nothing else that is known";
            throw new StoreException($"{image}: it has no ext4 filesystem{told}; hacktree needs a disk with / on ext4");
        }

        foreach (Partition partition in found)
        {
            if (TryMount(export.Path, partition, point) is { } failure)
            {
                facts.Add($"{PartitionContent.NameOf(partition)} cannot be mounted ({failure})");
            }
            else if (IsSystem(point) || found.Count == 1)
            {
                string uuid = UuidOf(export.Path, partition);
                return new MountedImage(point, uuid) { WhyNoSystem = IsSystem(point) ? null : WhyNoSystemOn(partition, facts) };
            }
            else
            {
                facts.Add($"{PartitionContent.NameOf(partition)} holds no system");
                Unmount(image, export, point);
            }
        }

        throw new StoreException($"{image}: no ext4 filesystem in it holds a system: {string.Join(", ", facts)}");
    }

    private static string? WhyNoSystemOn(Partition partition, List<string> others) =>
        others.Count > 0
            ? $"{PartitionContent.NameOf(partition)} holds no system, and {string.Join(", ", others)}; hacktree needs a disk with / on ext4"
            : null;

    /// <summary>Mounts a partition. Returns null, or the reason why it cannot be mounted.</summary>
    private static string? TryMount(string disk, Partition partition, string point)
    {
        // The offset is given because kernels in virtual machines do not read the partition table of a loop device.
        ProgramRun run = Tool.Mount.TryRun(["-t", Ext4.Name, "-o", $"loop,offset={partition.Offset},sizelimit={partition.Length}", disk, point]);
        if (!run.Succeeded)
        {
            // mount ends with advice about dmesg, and begins with its own name and the mount point.
            string words = run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault() ?? "it does not say why";
            return words.Replace($"mount: {point}: ", "", StringComparison.Ordinal).Replace(disk, "it", StringComparison.Ordinal).TrimEnd('.');
        }

        return MountTable.PointsBelow(point).Any()
            ? null
            : throw new StoreException($"{point}: the mount there cannot be seen in /proc/thread-self/mountinfo; set TMPDIR to another directory");
    }

    private static List<(Partition Partition, string? Content)> Contents(string image, string disk)
    {
        using FileStream file = DiskFormats.OpenToRead(disk);
        return PartitionTable.TryRead(file, out List<Partition>? partitions, out string? error)
            ? [.. partitions.Select(partition => (partition, PartitionContent.Find(file, partition)))]
            : throw new StoreException($"{image}: {error}");
    }

    private static string UuidOf(string disk, Partition partition)
    {
        using FileStream file = DiskFormats.OpenToRead(disk);
        return Ext4.UuidOf(file, partition)!;
    }

    private static bool IsSystem(string point) =>
        File.Exists(System.IO.Path.Combine(point, "etc/debian_version"))
        || File.Exists(System.IO.Path.Combine(point, ConversionJournal.FileName))
        || ObjectStore.IsStore(System.IO.Path.Combine(point, ImageLayout.Store));

    private static void Unmount(string image, DiskExport export, string point)
    {
        // Processes that a command left behind may need a moment to end.
        long started = System.Diagnostics.Stopwatch.GetTimestamp();
        ProgramRun? last = null;
        while (!MountTable.PointsBelow(point).Reverse().All(mount => (last = Tool.Unmount.TryRun([mount])).Succeeded))
        {
            if (System.Diagnostics.Stopwatch.GetElapsedTime(started) > Patience)
            {
                _ = Tool.Unmount.TryRun(["--lazy", "--recursive", point]);
                string what = export.IsCopy ? "nothing was kept of what was done" : "the image is in use until that ends";
                throw new StoreException(
                    $"{image}: something still runs in it, and {what} ({last!.LastWords}); end what a command starts before it ends");
            }

            Thread.Sleep(100);
        }
    }

    private static void TryRemove(string directory) => _ = Sys.RemoveDirectory(Sys.WorkingDirectory, ByteText.FromArgument(directory));
}
