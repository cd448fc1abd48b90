using System.Buffers.Binary;

namespace HackTree.Tests.Support;

/// <summary>
/// The writes and flushes of a disk, as QEMU's blklogwrites notes them. The disk can be made again as a power cut at any moment would leave it: what was
/// flushed is there, and of later writes any sectors are.
/// </summary>
internal sealed class WriteLog
{
    private const ulong Magic = 0x6a736677736872;
    private const int SectorSize = 512;
    private const int CountOffset = 16;
    private const ulong FlushFlag = 1;
    private const ulong DiscardFlag = 4;
    private const long MostBytes = 16L << 30;

    private readonly string image;
    private readonly string before;

    /// <summary>Makes an empty log for a disk that is not used yet.</summary>
    public WriteLog(string image)
    {
        this.image = image;
        (Path, before) = ($"{image}.log", $"{image}.before");
        Tools.Run("cp", "--sparse=always", image, before).Succeeded();
        using FileStream file = File.Create(Path);
        file.SetLength(MostBytes);
    }

    /// <summary>The file of the log.</summary>
    public string Path { get; }

    /// <summary>How many writes and flushes there were up to the last flush.</summary>
    public int Flushed
    {
        get
        {
            using FileStream file = Open(Path);
            return (int)Number(Read(file, 0, SectorSize), CountOffset);
        }
    }

    /// <summary>The moments right after each write that begins in a range of bytes of the disk.</summary>
    public List<int> WritesIn(long offset, long length)
    {
        List<Write> writes = ReadAll();
        return [.. Enumerable.Range(0, writes.Count)
            .Where(index => writes[index].DataOffset > 0 && writes[index].Sector * SectorSize - offset is var at && at >= 0 && at < length)
            .Select(index => index + 1)];
    }

    /// <summary>Makes the disk as power cuts leave it: one picture for each moment, a number of writes and flushes.</summary>
    /// <param name="moments">The moments.</param>
    /// <param name="random">Which of the sectors that were not flushed are lost: all, none, or some.</param>
    /// <param name="look">Looks at a picture, in a file that is gone afterwards.</param>
    public void ForEachCut(IEnumerable<int> moments, Random random, Action<int, string> look)
    {
        List<Write> writes = ReadAll();
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

    /// <summary>Writes those sectors to the target that are kept; all if nothing says which.</summary>
    private void Apply(List<Write> writes, string target, Func<bool>? isKept)
    {
        using FileStream from = Open(Path), to = new(target, FileMode.Open, FileAccess.Write);
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
    private List<Write> ReadAll()
    {
        using FileStream file = Open(Path);
        byte[] head = Read(file, 0, SectorSize);
        Assert.Equal(Magic, Number(head, 0));
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
