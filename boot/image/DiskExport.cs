using System.Diagnostics;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// A disk image as a file of raw bytes: the image itself, or for qcow2 a file that qemu-storage-daemon shows by FUSE while this exists.
/// What is written goes into the image at once; nothing is converted or copied.
/// </summary>
internal sealed class DiskExport : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Process? daemon;
    private readonly Task<string>? complaints;

    private DiskExport(string path) => Path = path;

    private DiskExport(string path, Process daemon)
        : this(path)
    {
        this.daemon = daemon;
        complaints = daemon.StandardError.ReadToEndAsync();
    }

    /// <summary>The file of raw bytes.</summary>
    internal string Path { get; }

    /// <summary>Opens an image whose lock the caller holds. <paramref name="place"/> is a file name to use where one is needed.</summary>
    internal static DiskExport Open(string image, string place)
    {
        if (DiskFormats.OfContent(image) == DiskFormat.Raw)
        {
            return new DiskExport(image);
        }

        File.WriteAllBytes(place, []);
        var export = new DiskExport(place, Tool.Start(DaemonCommand(image, place)));
        try
        {
            export.WaitUntilShown(image);
            return export;
        }
        catch
        {
            export.Dispose();
            throw;
        }
    }

    /// <summary>Ends the daemon, which writes what it holds. Unmount what is mounted of the file before.</summary>
    public void Dispose()
    {
        if (daemon is null)
        {
            return;
        }

        try
        {
            daemon.StandardInput.Write("{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"quit\"}\n");
            daemon.StandardInput.Close();
        }
        catch (IOException)
        {
            // It has ended by itself.
        }

        if (!daemon.WaitForExit(Patience))
        {
            daemon.Kill();
            daemon.WaitForExit();
        }

        daemon.Dispose();
        File.Delete(Path);
    }

    private static ProcessStartInfo DaemonCommand(string image, string place)
    {
        // It must not outlive this program: a daemon that nobody ends keeps the image for itself.
        string[] arguments =
        [
            "--pdeathsig", "KILL", Tool.DiskExport.Path,
            "--blockdev", $"driver=qcow2,node-name=disk,discard=unmap,file.driver=file,file.discard=unmap,file.filename={image.Replace(",", ",,", StringComparison.Ordinal)}",
            "--export", $"type=fuse,id=disk,node-name=disk,mountpoint={place},writable=on",
            "--chardev", "stdio,id=control", "--monitor", "chardev=control",
        ];
        return new ProcessStartInfo(Tool.SetDeathSignal.Path, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
    }

    private static bool IsLockComplaint(string error) => error.Contains("lock", StringComparison.Ordinal) && error.Contains("another process", StringComparison.Ordinal);

    private void WaitUntilShown(string image)
    {
        long started = Stopwatch.GetTimestamp();
        while (new FileInfo(Path).Length == 0)
        {
            if (daemon!.HasExited)
            {
                string error = complaints!.GetAwaiter().GetResult();
                throw IsLockComplaint(error) ? ImageLock.InUseByQemu(image) : new StoreException($"{image}: qemu-storage-daemon failed: {Tool.LastWords(error)}");
            }

            if (Stopwatch.GetElapsedTime(started) > Patience)
            {
                throw new StoreException($"{image}: qemu-storage-daemon does not show it; is FUSE there (/dev/fuse)? `qemu-img convert -O raw` makes an image that needs neither");
            }

            Thread.Sleep(20);
        }
    }
}
