using System.Diagnostics;

namespace HackTree.Tests.Support;

/// <summary>
/// A disk that notes each write and each flush. It is a file that qemu-storage-daemon shows by FUSE; a loop device hands flushes through to it.
/// </summary>
internal sealed class RecordedDisk : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly Process daemon;

    /// <summary>Starts to note what is written to an image. Skips the test, saying why, if that is impossible.</summary>
    public RecordedDisk(string image)
    {
        Tools.Require("qemu-storage-daemon");
        Assert.SkipUnless(File.Exists("/dev/fuse"), "this kernel has no FUSE");
        Path = $"{image}.shown";
        Log = new WriteLog(image);
        File.WriteAllText(Path, "");
        string[] arguments =
        [
            "--blockdev", $"driver=file,node-name=disk,filename={image},cache.no-flush=on",
            "--blockdev", $"driver=file,node-name=log,filename={Log.Path},cache.no-flush=on",
            "--blockdev", "driver=blklogwrites,node-name=noted,file=disk,log=log,log-append=off",
            "--export", $"type=fuse,id=shown,node-name=noted,mountpoint={Path},writable=on",
        ];
        daemon = Process.Start(new ProcessStartInfo(Tools.Find("qemu-storage-daemon")!, arguments) { RedirectStandardInput = true })!;
        var clock = Stopwatch.StartNew();
        while (new FileInfo(Path).Length == 0)
        {
            Assert.False(daemon.HasExited || clock.Elapsed > Patience, $"qemu-storage-daemon does not show {image}");
            Thread.Sleep(10);
        }
    }

    /// <summary>The path of the disk.</summary>
    public string Path { get; }

    /// <summary>The notes.</summary>
    public WriteLog Log { get; }

    /// <summary>Ends the notes. Nothing may have the disk mounted.</summary>
    public void Finish()
    {
        if (!daemon.HasExited)
        {
            Tools.Run("kill", $"{daemon.Id}").Succeeded();
            daemon.WaitForExit();
        }
    }

    public void Dispose()
    {
        Finish();
        daemon.Dispose();
    }
}
