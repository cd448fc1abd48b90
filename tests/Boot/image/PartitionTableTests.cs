using HackTree.Boot;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

public sealed class PartitionTableTests : IDisposable
{
    private const long Size = 64 * 1024 * 1024;

    private readonly TempDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public void What_is_written_is_read_again_and_sfdisk_reads_the_same()
    {
        Partition linux = ImageLayout.Linux(Size);
        Assert.Equal([linux], Written(PartitionTable.Mbr(new byte[440], 1, linux), []));
        RequireSfdisk("dos", [linux]);

        (Partition efi, Partition root) = ImageLayout.WithEfi(Size, 16 * 1024 * 1024);
        (byte[] beginning, byte[] end) = PartitionTable.Gpt(Size, efi, root);
        Assert.Equal([efi, root], Written(beginning, end));
        RequireSfdisk("gpt", [efi, root]);
    }

    [Fact]
    public void Logical_partitions_of_sfdisk_are_found()
    {
        Tools.Require("sfdisk");
        _ = Written([], []);
        Tools.Run("sh", "-c", $"printf '2048,4096,83\\n8192,100000,5\\n10240,4096,83\\n16384,4096,83\\n' | sfdisk -q {directory.At("disk")}").Succeeded();
        Assert.Equal([(1, 2048), (5, 10240), (6, 16384)], Read().Select(partition => (partition.Number, partition.Offset / 512)));
    }

    [Fact]
    public void A_disk_without_a_table_is_one_partition_and_damage_is_told()
    {
        Assert.Equal([new Partition(0, 0, Size)], Written([], []));
        (Partition efi, Partition root) = ImageLayout.WithEfi(Size, 16 * 1024 * 1024);
        (byte[] beginning, byte[] end) = PartitionTable.Gpt(Size, efi, root);
        beginning[1024 + 40] ^= 1;
        end[40] ^= 1;
        _ = Written(beginning, end, mayFail: true);
        Assert.Contains("damaged, and so is the copy", Fault(), StringComparison.Ordinal);

        byte[] mbr = PartitionTable.Mbr([], 1, new Partition(1, 512, Size));
        _ = Written(mbr, [], mayFail: true);
        Assert.Contains("beyond its end", Fault(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(512 + 3, "signature")]
    [InlineData(512 + 60, "disk id, which only the header's checksum covers")]
    [InlineData(1024 + 40, "an entry")]
    [InlineData(512, "hybrid MBR")]
    public void The_copy_of_a_GPT_at_the_end_stands_in_for_a_damaged_one(int offset, string what)
    {
        (Partition efi, Partition root) = ImageLayout.WithEfi(Size, 16 * 1024 * 1024);
        (byte[] beginning, byte[] end) = PartitionTable.Gpt(Size, efi, root);
        if (what == "hybrid MBR")
        {
            // A partition for old systems stands before the protective one.
            beginning.AsSpan(446, 16).CopyTo(beginning.AsSpan(446 + 16));
            beginning[446 + 4] = 0x0C;
            beginning.AsSpan(512, 512).Clear();
        }

        beginning[offset] ^= 1;
        Assert.Equal([efi, root], Written(beginning, end));
    }

    [Fact]
    public void Boot_code_of_a_filesystem_is_no_table()
    {
        byte[] sector = new byte[512];
        new Random(7).NextBytes(sector);
        (sector[446], sector[510], sector[511]) = (0x31, 0x55, 0xAA);
        Assert.Equal([new Partition(0, 0, Size)], Written(sector, []));

        // extlinux leaves zeros where the entries would be.
        sector.AsSpan(446, 64).Clear();
        Assert.Equal([new Partition(0, 0, Size)], Written(sector, []));
    }

    [Fact]
    public void No_bytes_make_the_reader_fail_or_name_what_is_not_on_the_disk()
    {
        var random = new Random(4);
        (Partition efi, Partition root) = ImageLayout.WithEfi(Size, 16 * 1024 * 1024);
        byte[] good = PartitionTable.Gpt(Size, efi, root).Beginning;
        for (int round = 0; round < 5000; round++)
        {
            byte[] bytes = [.. good];
            bool isMbr = round % 2 == 0;
            if (isMbr)
            {
                random.NextBytes(bytes.AsSpan(440, 70));
                bytes[446 + 4] = (byte)(round % 3 == 0 ? 5 : 0x83);
            }

            for (int flip = random.Next(4); flip >= 0; flip--)
            {
                bytes[random.Next(446, isMbr ? 512 : 1024)] = (byte)random.Next(256);
            }

            using var disk = new MemoryStream(bytes);
            if (PartitionTable.TryRead(disk, out List<Partition>? partitions, out string? error))
            {
                Assert.All(partitions, partition => Assert.InRange(partition.Offset + partition.Length, 1, bytes.Length));
            }
            else
            {
                Assert.NotEmpty(error);
            }
        }
    }

    [Theory]
    [InlineData("6.1.0-9-amd64", "6.1.0-10-amd64")]
    [InlineData("5.10.0-30-amd64", "6.1.0-1-amd64")]
    [InlineData("6.1.0-9", "6.1.0-9-amd64")]
    public void Versions_of_kernels_are_compared_as_people_do(string older, string newer) =>
        Assert.True(KernelVersion.Compare(older, newer) < 0 && KernelVersion.Compare(newer, older) > 0 && KernelVersion.Compare(newer, newer) == 0);

    private List<Partition> Written(byte[] beginning, byte[] end, bool mayFail = false)
    {
        using (FileStream file = File.Create(directory.At("disk")))
        {
            file.SetLength(Size);
            file.Write(beginning);
            file.Position = Size - end.Length;
            file.Write(end);
        }

        return mayFail ? [] : Read();
    }

    private List<Partition> Read()
    {
        using FileStream file = File.OpenRead(directory.At("disk"));
        Assert.True(PartitionTable.TryRead(file, out List<Partition>? partitions, out string? error), error);
        return partitions;
    }

    private string Fault()
    {
        using FileStream file = File.OpenRead(directory.At("disk"));
        Assert.False(PartitionTable.TryRead(file, out _, out string? error));
        return error;
    }

    private void RequireSfdisk(string label, IEnumerable<Partition> partitions)
    {
        if (Tools.Find("sfdisk") is null)
        {
            return;
        }

        ToolResult result = Tools.Run("sfdisk", "--dump", directory.At("disk"));
        string dump = result.Succeeded();
        Assert.Contains($"label: {label}", dump, StringComparison.Ordinal);
        Assert.All(partitions, partition => Assert.Matches($"start= *{partition.Offset / 512}, size= *{partition.Length / 512},", dump));
        Assert.DoesNotContain("orrupt", result.Error, StringComparison.Ordinal);
    }
}
