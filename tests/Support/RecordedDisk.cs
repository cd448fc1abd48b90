using System.Buffers.Binary;
using System.Diagnostics;

namespace HackTree.Tests.Support;

/// <summary>
/// A disk that notes each write and each flush. The disk can be made again as a power cut at any moment would leave it: what was flushed is there,
/// and of later writes any sectors are. The disk is a file that qemu-storage-daemon shows by FUSE; a loop device hands flushes through to it.
/// </summary>
internal sealed class RecordedDisk : IDisposable
{
    private const ulong LogMagic = 0x6a736677736872;
    private const int SectorSize = 512;
    private const int CountOffset = 16;
    private const ulong FlushFlag = 1;
    private const ulong DiscardFlag = 4;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly string image;
    private readonly string log;
    private readonly string before;
    private readonly Process daemon;

    /// <summary>Starts to note what is written to an image. Skips the test, saying why, if that is impossible.</summary>
    public RecordedDisk(string image)
    {
        Tools.Require("qemu-storage-daemon");
        Assert.SkipUnless(File.Exists("/dev/fuse"), "this kernel has no FUSE");
        this.image = image;
        (Path, log, before) = ($"{image}.shown", $"{image}.log", $"{image}.before");
        Tools.Run("cp", "--sparse=always", image, before).Succeeded();
        File.WriteAllText(Path, "");
        using (FileStream file = File.Create(log))
        {
            file.SetLength(8L << 30);
        }

        string[] arguments =
        [
            "--blockdev", $"driver=file,node-name=disk,filename={image},cache.no-flush=on",
            "--blockdev", $"driver=file,node-name=log,filename={log},cache.no-flush=on",
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

    /// <summary>How many writes and flushes there were up to the last flush.</summary>
    public int Flushed
    {
        get
        {
            using FileStream file = Open(log);
            return (int)Number(Read(file, 0, SectorSize), CountOffset);
        }
    }

    /// <summary>Ends the notes. Nothing may have the disk mounted.</summary>
    public void Finish()
    {
        if (!daemon.HasExited)
        {
            Tools.Run("kill", $"{daemon.Id}").Succeeded();
            daemon.WaitForExit();
        }
    }

    /// <summary>Makes the disk as power cuts leave it: one picture for each moment, a number of writes and flushes.</summary>
    /// <param name="moments">The moments.</param>
    /// <param name="random">Which of the sectors that were not flushed are lost: all, none, or some.</param>
    /// <param name="look">Looks at a picture, in a file that is gone afterwards.</param>
    public void ForEachCut(IEnumerable<int> moments, Random random, Action<int, string> look)
    {
        List<Write> writes = ReadLog();
        string durable = $"{image}.durable", picture = $"{image}.picture";
        Tools.Run("cp", "--sparse=always", before, durable).Succeeded();
        int applied = 0;
        foreach (int moment in moments.Order())
        {
            int flushed = moment == 0 ? 0 : writes.FindLastIndex(moment - 1, write => write.IsFlush) + 1;
            Apply(writes[applied..Math.Max(applied, flushed)], durable, isKept: null);
            applied = Math.Max(applied, flushed);
            Tools.Run("cp", "--sparse=always", durable, picture).Succeeded();
            int kind = random.Next(4);
            Apply(writes[flushed..moment], picture, () => kind > 1 ? random.Next(2) == 0 : kind == 1);
            look(moment, picture);
            File.Delete(picture);
        }
    }

    public void Dispose()
    {
        Finish();
        daemon.Dispose();
    }

    /// <summary>Writes those sectors to the target that are kept; all if nothing says which.</summary>
    private void Apply(List<Write> writes, string target, Func<bool>? isKept)
    {
        using FileStream from = Open(log), to = new(target, FileMode.Open, FileAccess.Write);
        foreach (Write write in writes.FindAll(write => write.DataOffset > 0))
        {
            byte[] data = Read(from, write.DataOffset, write.Sectors * SectorSize);
            int step = isKept is null ? write.Sectors : 1;
            for (int sector = 0; sector < write.Sectors; sector += step)
            {
                if (isKept?.Invoke() != false)
                {
                    to.Position = (write.Sector + sector) * SectorSize;
                    to.Write(data, sector * SectorSize, step * SectorSize);
                }
            }
        }
    }

    /// <summary>The notes, in the format of the kernel's dm-log-writes (Documentation/admin-guide/device-mapper/log-writes.rst).</summary>
    private List<Write> ReadLog()
    {
        using FileStream file = Open(log);
        byte[] head = Read(file, 0, SectorSize);
        Assert.Equal(LogMagic, Number(head, 0));
        var writes = new List<Write>();
        long offset = SectorSize;
        for (ulong left = Number(head, CountOffset); left > 0; left--)
        {
            byte[] entry = Read(file, offset, SectorSize);
            offset += SectorSize;
            (ulong sector, ulong sectors, ulong flags) = (Number(entry, 0), Number(entry, 8), Number(entry, 16));
            bool hasData = sectors > 0 && (flags & DiscardFlag) == 0;
            writes.Add(new Write((long)sector, (int)sectors, hasData ? offset : 0, (flags & FlushFlag) != 0));
            offset += hasData ? (long)sectors * SectorSize : 0;
        }

        return writes;
    }

    private static FileStream Open(string path) => new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);

    private static byte[] Read(FileStream file, long offset, int length)
    {
        byte[] bytes = new byte[length];
        file.Position = offset;
        file.ReadExactly(bytes);
        return bytes;
    }

    private static ulong Number(byte[] bytes, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(offset));

    /// <summary>A write or a flush.</summary>
    /// <param name="Sector">Where it begins on the disk.</param>
    /// <param name="Sectors">How many sectors it wrote.</param>
    /// <param name="DataOffset">Where its content is in the log; 0 if there is none.</param>
    /// <param name="IsFlush">Whether what was written before is durable from now on.</param>
    private readonly record struct Write(long Sector, int Sectors, long DataOffset, bool IsFlush);
}
