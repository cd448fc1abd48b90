using HackTree.Boot;

namespace HackTree.Tests.Boot;

/// <summary>Reads initrds of other programs, in all their compressions and combinations.</summary>
public sealed class InitrdReaderTests
{
    public static TheoryData<string> EachWay => InitrdSamples.EachWay;

    private static readonly byte[] Ours = BootSegment.Make(0);

    [Theory]
    [MemberData(nameof(EachWay))]
    public void Each_way_of_packing_gives_the_same_entries(string way)
    {
        List<string> bare = InitrdSamples.Read(InitrdSamples.Get("none"));
        Assert.Contains(bare, line => line.StartsWith("1 104755 108894 usr/bin/tool2 ", StringComparison.Ordinal));
        Assert.Contains(bare, line => line.StartsWith("1 100644 2 etc/bad\\377name ", StringComparison.Ordinal));
        Assert.Equal(way == "double" ? [.. bare, .. bare] : bare, InitrdSamples.Read(InitrdSamples.Get(way)));
    }

    [Theory]
    [MemberData(nameof(EachWay))]
    public void What_follows_a_segment_is_found(string way)
    {
        byte[] microcode = InitrdSamples.Get("microcode");
        byte[] gzip = SegmentPacking.Pack(Compression.Gzip, BootSegment.Make(0));
        byte[] sample = InitrdSamples.Get(way);

        // A segment behind lz4 needs zeros, and a bare archive must be aligned. Another compressed segment needs neither.
        byte[] gap = way == "lz4" ? new byte[4] : way is "none" or "crc" ? new byte[-sample.Length & 3] : [];
        byte[] initrd = [.. microcode, .. sample, .. gap, .. gzip];
        initrd = [.. InitrdSamples.Aligned(initrd), .. new byte[512], .. Ours];
        List<string> lines = InitrdSamples.Read(initrd);
        int own = InitrdSamples.Read(Ours).Count;
        Assert.Equal(
            [InitrdSamples.Read(microcode).Count, InitrdSamples.Read(sample).Count, own, own],
            lines.GroupBy(line => line.Split(' ')[0]).Select(segment => segment.Count()));
        using var reader = new InitrdReader(new MemoryStream(initrd), "a");
        Assert.True(reader.NextSegment() && reader.NextSegment());
        Assert.Equal(microcode.Length, reader.Segment.Offset);
        Assert.True(reader.NextSegment());
        Assert.Equal((microcode.Length + sample.Length + gap.Length, Compression.Gzip), (reader.Segment.Offset, reader.Segment.Compression));
        Assert.True(reader.NextSegment());
        Assert.Equal(initrd.Length - Ours.Length, reader.Segment.Offset);
        Assert.False(reader.NextSegment());
    }

    [Theory]
    [MemberData(nameof(EachWay))]
    public void A_segment_that_is_cut_short_is_refused(string way)
    {
        byte[] sample = InitrdSamples.Get(way);
        int archiveEnd = sample.AsSpan().LastIndexOfAnyExcept((byte)0) + 1;
        foreach (int length in new[] { archiveEnd - 1, archiveEnd / 2, archiveEnd / 3, 12, 7, 3 })
        {
            var e = Assert.Throws<InitrdException>(() => InitrdSamples.Read(sample[..length]));
            Assert.Contains("test.img: segment 1 ", e.Message);
            Assert.Matches("cut short|cannot be read|damaged", e.Message);
        }
    }

    /// <summary>The compressions that have a checksum which the kernel compares too.</summary>
    [Theory]
    [InlineData("crc")]
    [InlineData("gzip")]
    [InlineData("named")]
    [InlineData("bzip2")]
    [InlineData("xz")]
    [InlineData("zstd")]
    public void A_damaged_segment_is_refused(string way)
    {
        byte[] sample = [.. InitrdSamples.Get(way)];
        sample[sample.Length / 2] ^= 0x10;
        Assert.Throws<InitrdException>(() => InitrdSamples.Read(sample));
    }

    [Theory]
    [InlineData("it begins with 64 65 66; known are a bare newc cpio, gzip, ", "def")]
    [InlineData("segment 1 at byte 4: unknown compression: it begins with 64 65 66", "\0\0\0\0def")]
    [InlineData("the compression is lzo", "\u0089LZO\0\r\n")]
    [InlineData("gzip of the old format", "\u001f\u009exxxx")]
    [InlineData("make it with `lz4 -l`", "\u0004\"M\u0018xxxx")]
    [InlineData("there is nothing in it", "")]
    [InlineData("there is nothing in it", "\0\0\0\0\0\0\0\0")]
    public void What_is_no_initrd_is_one_sentence(string sentence, string bytes)
    {
        var e = Assert.Throws<InitrdException>(() => InitrdSamples.Read(System.Text.Encoding.Latin1.GetBytes(bytes)));
        Assert.Contains(sentence, e.Message);
    }

    [Theory]
    [InlineData("bcj", "the xz filter x86 (BCJ), which HackTree cannot read")]
    [InlineData("delta", "the xz filter delta, which HackTree cannot read")]
    public void A_filter_of_xz_is_told_from_damage(string way, string sentence) =>
        Assert.Contains(sentence, Assert.Throws<InitrdException>(() => InitrdSamples.Read(InitrdSamples.Get(way))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_bare_archive_that_is_not_aligned_is_refused_as_by_the_kernel(int zeros)
    {
        byte[] sample = InitrdSamples.Aligned(InitrdSamples.Get("zstd"));
        var e = Assert.Throws<InitrdException>(() => InitrdSamples.Read([.. sample, .. new byte[zeros], .. Ours]));
        Assert.Contains("segment 2 (bare cpio)", e.Message);
        Assert.Contains("does not begin at a multiple of 4 bytes", e.Message);
        e = Assert.Throws<InitrdException>(() => InitrdSamples.Read([.. Ours, .. new byte[zeros], .. sample]));
        Assert.Contains("segment 2 (zstd)", e.Message);
    }

    [Fact]
    public void Something_else_behind_an_archive_is_refused()
    {
        Assert.Contains("unknown compression", Assert.Throws<InitrdException>(() => InitrdSamples.Read([.. Ours, .. "text"u8])).Message);
        var packed = new MemoryStream();
        using (var gzip = new System.IO.Compression.GZipStream(packed, System.IO.Compression.CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write([.. Ours, 0, 0, .. "text"u8]);
        }

        Assert.Contains("a cpio archive is followed by bytes that are no cpio archive", Assert.Throws<InitrdException>(() => InitrdSamples.Read(packed.ToArray())).Message);
    }

    /// <summary>xz and lzma headers claim a dictionary, zstd headers a window.</summary>
    [Theory]
    [InlineData("lzma", 1, new byte[] { 0xFF, 0xFF, 0xFF, 0xFF })]
    [InlineData("zstd", 4, new byte[] { 0x00, 0xF8 })]
    public void A_header_that_claims_gigabytes_of_memory_is_refused(string way, int at, byte[] claim)
    {
        byte[] sample = [.. InitrdSamples.Get(way)];
        claim.CopyTo(sample, at);
        long before = GC.GetTotalAllocatedBytes();
        Assert.Throws<InitrdException>(() => InitrdSamples.Read(sample));
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 50_000_000);
    }
}
