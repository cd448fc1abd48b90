using System.Diagnostics;
using System.Text;
using HackTree.Boot;
using HackTree.Tests.Model;

namespace HackTree.Tests.Boot;

/// <summary>Initrds with random damage, by fixed seeds, give entries or one sentence, in limited time and memory.</summary>
public sealed class InitrdFuzzTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>The memory of one reading. A decoder's window and tables are most of it.</summary>
    private const long MaxAllocated = 300_000_000;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_damaged_archive_gives_entries_or_one_sentence(int seed)
    {
        var mutator = new Mutator(seed);
        byte[][] samples = [Small, BootSegment.Make(1), [.. Small, .. Small]];
        int refused = Enumerable.Range(0, 10_000).Count(_ => IsRefused(mutator.Next(samples)));
        Assert.InRange(refused, 1000, 9990);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("bzip2")]
    [InlineData("lzma")]
    [InlineData("xz")]
    [InlineData("blocks")]
    [InlineData("lz4")]
    [InlineData("zstd")]
    public void A_damaged_packed_segment_gives_entries_or_one_sentence(string way)
    {
        var mutator = new Mutator(way.Length);
        byte[][] samples = [InitrdSamples.Get(way)];
        int refused = Enumerable.Range(0, 300).Count(_ => IsRefused(mutator.Next(samples)));
        Assert.InRange(refused, 30, 300);
    }

    /// <summary>Headers get most of the damage here, because they claim sizes.</summary>
    [Theory]
    [InlineData("gzip")]
    [InlineData("bzip2")]
    [InlineData("lzma")]
    [InlineData("xz")]
    [InlineData("lz4")]
    [InlineData("zstd")]
    public void Random_bytes_behind_a_magic_number_are_one_sentence(string way)
    {
        var random = new Random(way.Length);
        byte[] sample = InitrdSamples.Get(way);
        int refused = 0;
        for (int i = 0; i < 400; i++)
        {
            byte[] bytes = sample[..Math.Min(sample.Length, 4096)];
            int kept = random.Next(2, 20);
            random.NextBytes(bytes.AsSpan(kept, random.Next(bytes.Length - kept)));
            refused += IsRefused(bytes) ? 1 : 0;
        }

        Assert.Equal(400, refused);
    }

    [Fact]
    public void Any_bytes_are_refused_by_the_parser_of_headers_or_come_back()
    {
        var random = new Random(5);
        byte[] bytes = new byte[CpioHeader.Length];
        ReadOnlySpan<byte> digits = "0123456789abcdefABCDEF0000000000xX -+"u8;
        int parsed = 0;
        for (int i = 0; i < 20_000; i++)
        {
            for (int at = 0; at < bytes.Length; at++)
            {
                bytes[at] = digits[random.Next(i % 2 == 0 ? 22 : digits.Length)];
            }

            (i % 3 == 0 ? CpioHeader.CheckedMagic : CpioHeader.Magic).CopyTo(bytes);
            if (CpioHeader.TryParse(bytes, out CpioHeader header))
            {
                parsed++;
                Assert.Equal(Encoding.ASCII.GetString(bytes).ToUpperInvariant(), Encoding.ASCII.GetString(header.Encode()));
            }
        }

        Assert.InRange(parsed, 10_000, 15_000);
    }

    private static byte[] Small { get; } = CpioTests.Write(writer =>
    {
        writer.Write("d"u8, new CpioHeader { Mode = 0x41ED, LinkCount = 2 }, []);
        writer.Write("d/file"u8, new CpioHeader { Mode = 0x81A4, LinkCount = 1, HasChecksum = true }, "some content"u8);
        writer.Write("link"u8, new CpioHeader { Mode = 0xA1FF, LinkCount = 1 }, "d/file"u8);
        writer.Write("hard"u8, new CpioHeader { Mode = 0x81A4, LinkCount = 2, Inode = 7 }, []);
        writer.Write("hard2"u8, new CpioHeader { Mode = 0x81A4, LinkCount = 2, Inode = 7 }, "x"u8);
    });

    private static bool IsRefused(byte[] initrd)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        var watch = Stopwatch.StartNew();
        bool isRefused = false;
        try
        {
            using var reader = new InitrdReader(new MemoryStream(initrd), "test.img");
            _ = InitrdScan.Run(reader, "test.img", entry => Assert.True(entry.Name.Length is > 0 and < 4096 && !entry.Name.Contains((byte)0)));
        }
        catch (InitrdException e)
        {
            isRefused = true;
            Assert.DoesNotContain('\n', e.Message);
            Assert.InRange(e.Message.Length, 20, 1500);
        }

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MaxAllocated);
        Assert.InRange(watch.Elapsed, TimeSpan.Zero, Patience);
        return isRefused;
    }
}
