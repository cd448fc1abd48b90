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
            using DiskExport export = open(System.IO.Path.GetFullPath(image));
            string point = System.IO.Path.Combine(scratch, "root");
            Directory.CreateDirectory(point);
            string uuid = Mount(image, export, point);
            T result;
            try
            {
                result = work(new MountedImage(point, uuid));
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

    /// <summary>Mounts the partition that holds a system, or the only ext4 partition. Returns its UUID.</summary>
    private static string Mount(string image, DiskExport export, string point)
    {
        string disk = export.Path;
        List<(Partition Partition, string Uuid)> found = Find(image, disk);
        foreach ((Partition partition, string uuid) in found)
        {
            // The offset is given because kernels in virtual machines do not read the partition table of a loop device.
            Tool.Mount.Run("-t", "ext4", "-o", $"loop,offset={partition.Offset},sizelimit={partition.Length}", disk, point);
            if (!MountTable.PointsBelow(point).Any())
            {
                throw new StoreException($"{point}: the mount there cannot be seen in /proc/thread-self/mountinfo; set TMPDIR to another directory");
            }

            if (found.Count == 1 || IsSystem(point))
            {
                return uuid;
            }

            Unmount(image, export, point);
        }

        throw new StoreException($"{image}: none of its {found.Count} ext4 filesystems holds a system; it must have one with / in it");
    }

    private static List<(Partition Partition, string Uuid)> Find(string image, string disk)
    {
        using FileStream file = DiskFormats.OpenToRead(disk);
        if (!PartitionTable.TryRead(file, out List<Partition>? partitions, out string? error))
        {
            throw new StoreException($"{image}: {error}");
        }

        List<(Partition, string)> found = [];
        foreach (Partition partition in partitions)
        {
            if (Ext4.UuidOf(file, partition) is { } uuid)
            {
                found.Add((partition, uuid));
            }
        }

        return found.Count > 0
            ? found
            : throw new StoreException(
                $"{image}: it has no ext4 filesystem; `fdisk -l` tells what is in it, and hacktree needs a disk with / on ext4");
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
