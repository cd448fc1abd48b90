using HackTree.Checkout;
using HackTree.Store;
using HackTree.Tests.Support;
using K4os.Compression.LZ4;

namespace HackTree.Tests.Checkout;

/// <summary>Archives that a program compressed are committed as they are, from a file and from a pipe.</summary>
public sealed class TarPackingTests : IDisposable
{
    private const string Make = """
        mkdir -p source/usr/share
        seq 1 200000 > source/usr/share/numbers; head -c 300000 /dev/urandom > source/usr/share/noise; ln -s numbers source/usr/share/link
        find source -exec touch -h -d @1700000000 {} +
        tar --format=pax --numeric-owner -C source -cf a.tar .
        """;

    private readonly StorePlace place = new();

    public TarPackingTests() => Shell(Make);

    public void Dispose() => place.Dispose();

    [Theory]
    [InlineData("gzip", "gzip -c a.tar")]
    [InlineData("gzip", "head -c 100000 a.tar | gzip; tail -c +100001 a.tar | gzip -n")]
    [InlineData("xz", "xz -c a.tar")]
    [InlineData("xz", "xz -c --check=sha256 --block-size=100000 -T2 a.tar")]
    [InlineData("xz", "xz -c --check=none a.tar")]
    [InlineData("xz", "head -c 100000 a.tar | xz --check=crc32; head -c 8 /dev/zero; tail -c +100001 a.tar | xz; head -c 4 /dev/zero")]
    [InlineData("zstd", "zstd -q -c a.tar")]
    [InlineData("zstd", "head -c 100000 a.tar | zstd -q -19; tail -c +100001 a.tar | zstd -q")]
    [InlineData("bzip2", "bzip2 -c a.tar")]
    [InlineData("bzip2", "head -c 100000 a.tar | bzip2; tail -c +100001 a.tar | bzip2")]
    [InlineData("zstd", "printf '\\x50\\x2a\\x4d\\x18\\x03\\0\\0\\0abc'; head -c 100000 a.tar | zstd -q; printf '\\x5f\\x2a\\x4d\\x18\\0\\0\\0\\0'; tail -c +100001 a.tar | zstd -q")]
    [InlineData("xz", "xz -c --format=lzma a.tar")]
    [InlineData("lz4", "lz4 -q -c a.tar")]
    [InlineData("lz4", "head -c 100000 a.tar | lz4 -q; tail -c +100001 a.tar | lz4 -q -BD --content-size")]
    [InlineData("lz4", "lz4 -q -l -c a.tar")]
    [InlineData("lz4", "head -c 100000 a.tar | lz4 -q -l; lz4 -q -l < /dev/null; tail -c +100001 a.tar | lz4 -q -l")]
    public void A_compressed_archive_is_the_same_tree(string program, string pack)
    {
        Tools.Require(program);
        Shell($"({pack}) > packed");
        Assert.Equal(Import("a.tar").Tree, Import("packed").Tree);
        using Stream slow = new DripStream(File.OpenRead(place.At("packed")));
        Assert.Equal(Import("a.tar").Tree, Import(slow).Tree);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("xz")]
    [InlineData("zstd")]
    [InlineData("bzip2")]
    [InlineData("lz4")]
    public void Damage_is_one_sentence_and_nothing_is_committed(string program)
    {
        Tools.Require(program);
        Shell($"{program} -c a.tar > packed");
        byte[] packed = File.ReadAllBytes(place.At("packed"));
        Refuses(packed[..^2], program);
        Refuses(packed[..^9], program);
        Refuses(packed[..(packed.Length / 2)], program);
        Refuses(packed[..30], program);

        // The decoder of bzip2 gives the bytes of a block that was cut short before it compares the sum, where what is left happens to end one.
        for (int length = 100; length < packed.Length; length += packed.Length / 50)
        {
            Refuses(packed[..length], program);
        }

        for (int at = 40; at < packed.Length; at += packed.Length / 7)
        {
            byte[] flipped = [.. packed];
            flipped[at] ^= 0x10;

            // Some decoders give the bytes of a block before they compare its sum: then the tar reader may be the first to see that.
            Assert.Throws<TarException>(() => Import(new MemoryStream(flipped)));
        }
    }

    /// <summary>A legacy frame of lz4 has no checksum, so what is told are a block's size and what is no packed block.</summary>
    [Fact]
    public void Damage_of_a_legacy_frame_is_one_sentence()
    {
        Tools.Require("lz4");
        Shell("seq 1 2000000 >> source/usr/share/numbers; tar -C source -cf a.tar .; lz4 -q -l -c a.tar > packed");
        Assert.Equal(Import("a.tar").Tree, Import("packed").Tree);
        byte[] packed = File.ReadAllBytes(place.At("packed"));
        int second = 8 + BitConverter.ToInt32(packed, 4);
        int last = second + 4 + BitConverter.ToInt32(packed, second);
        Assert.Equal(packed.Length, last);
        foreach (int length in new[] { packed.Length - 1, second + 4, second + 3, second - 1, 100, 7, 4096 })
        {
            Refuses(packed[..length], "lz4");
        }

        foreach (int at in new[] { 4, second })
        {
            foreach (uint size in (uint[])[0, 1, (uint)packed.Length, 8 * 1024 * 1024, 9 * 1024 * 1024, uint.MaxValue])
            {
                byte[] changed = [.. packed];
                BitConverter.TryWriteBytes(changed.AsSpan(at), size);
                Refuses(changed, "lz4");
            }
        }

        // More zeros than a block may have unpacked.
        byte[] bomb = new byte[LZ4Codec.MaximumOutputSize(9 * 1024 * 1024)];
        int length9 = LZ4Codec.Encode(new byte[9 * 1024 * 1024], bomb);
        Refuses([.. packed[..4], .. BitConverter.GetBytes(length9), .. bomb.AsSpan(0, length9)], "lz4");
        Refuses([.. packed, .. new byte[4]], "lz4");
        Refuses([.. packed, (byte)'x'], "lz4");

        // Without its second block the frame is whole, and the archive is not.
        Assert.Throws<TarException>(() => Import(new MemoryStream(packed[..second])));
    }

    [Theory]
    [InlineData("xz", "xz -c --x86 --lzma2=preset=0 a.tar", "the xz filter x86", "xz")]
    [InlineData("xz", "xz -c --lzma2=preset=0,dict=192MiB a.tar", "dictionary is larger than 128 MiB", "xz")]
    [InlineData("zstd", "cat a.tar | zstd -q --long=31 --ultra -22 -c", "its window is larger than 128 MiB", "zstd --long=31")]
    [InlineData("gzip", "gzip -c a.tar | gzip -c", "it is compressed with gzip", "gzip")]
    [InlineData("lz4", "lz4 -q -l -c a.tar | gzip -c", "it is compressed with lz4", "lz4")]
    public void What_cannot_be_unpacked_is_refused_with_the_program_that_can(string program, string pack, string fault, string remedy)
    {
        Tools.Require(program);
        Shell($"({pack}) > packed");
        var error = Assert.Throws<TarException>(() => Import("packed"));
        Assert.Contains(fault, error.Message, StringComparison.Ordinal);
        Assert.Equal(new Remedy.Decompress(remedy), error.Remedy);
    }

    private void Refuses(byte[] packed, string program)
    {
        var error = Assert.Throws<TarException>(() => Import(new MemoryStream(packed)));
        Assert.Contains($"the {program} data is damaged", error.Message, StringComparison.Ordinal);
    }

    private ImportResult Import(string name)
    {
        using FileStream archive = File.OpenRead(place.At(name));
        return Import(archive);
    }

    private ImportResult Import(Stream archive)
    {
        using var additions = new Additions(place.Store);
        return TarImport.Run(additions, archive, new ImportOptions());
    }

    private void Shell(string script) => Tools.Run("bash", "-ec", $"cd {place.At(".")}; {script}").Succeeded();

    /// <summary>A pipe: it cannot seek, and gives few bytes at a time.</summary>
    private sealed class DripStream(Stream stream) : ReadOnlyStream
    {
        public override int Read(Span<byte> buffer) => stream.Read(buffer[..Math.Min(buffer.Length, 777)]);

        protected override void Dispose(bool disposing)
        {
            stream.Dispose();
            base.Dispose(disposing);
        }
    }
}
