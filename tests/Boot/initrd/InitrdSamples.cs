using HackTree.Boot;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>Initrds made by other programs: one small tree in each compression, and an archive of microcode to put before them.</summary>
internal static class InitrdSamples
{
    private const string Make = """
        set -e
        cd "$1"
        mkdir -p tree/etc tree/usr/bin tree/conf/conf.d tree/scripts tree/dev micro/kernel/x86/microcode
        ln -s usr/bin tree/bin
        seq 20000 > tree/usr/bin/tool; chmod 4755 tree/usr/bin/tool
        ln tree/usr/bin/tool tree/usr/bin/tool2
        printf '#!/bin/sh\n' > tree/init; chmod 755 tree/init
        : > tree/etc/fstab
        mkfifo tree/dev/initctl
        echo x > tree/etc/$'bad\377name'
        : > tree/scripts/functions
        chmod 1777 tree/scripts
        head -c 5001 /dev/urandom > micro/kernel/x86/microcode/GenuineIntel.bin
        (cd tree && find . | LC_ALL=C sort | cpio --quiet -o -H newc) > none
        (cd tree && find . | LC_ALL=C sort | cpio --quiet -o -H crc) > crc
        (cd micro && find . | cpio --quiet -o -H newc) > microcode
        gzip -9 < none > gzip
        cp none named && gzip -N named && mv named.gz named
        bzip2 < none > bzip2
        lzma < none > lzma
        xz -0 --check=crc32 < none > xz
        xz -0 --check=none --block-size=20000 < none > blocks
        for check in crc64 sha256; do xz -0 --check=$check < none > $check; done
        xz --check=crc32 --x86 --lzma2=preset=0 < none > bcj
        xz --check=crc32 --delta --lzma2=preset=0 < none > delta
        lz4 -lq < none > lz4
        zstd -q --check < none > zstd
        (cat none none) | zstd -q --no-check > double
        """;

    private static readonly Lazy<Dictionary<string, byte[]>> All = new(MakeAll);

    /// <summary>The names of the compressions.</summary>
    public static readonly string[] Ways = ["none", "crc", "gzip", "named", "bzip2", "lzma", "xz", "blocks", "lz4", "zstd", "double"];

    /// <summary>For theories: each of <see cref="Ways"/>.</summary>
    public static TheoryData<string> EachWay => [.. Ways];

    /// <summary>The tree in one compression, or "microcode". Skips the test if a program for it is missing.</summary>
    public static byte[] Get(string way)
    {
        Tools.Require("cpio", "gzip", "bzip2", "lzma", "xz", "lz4", "zstd");
        return All.Value[way];
    }

    /// <summary>Pads an archive with zeros to a multiple of 4 bytes.</summary>
    public static byte[] Aligned(byte[] bytes) => [.. bytes, .. new byte[-bytes.Length & 3]];

    /// <summary>The entries that a reader returns, one line for each: segment, mode, size, name, a sum of the content.</summary>
    public static List<string> Read(byte[] initrd)
    {
        var lines = new List<string>();
        using var reader = new InitrdReader(new MemoryStream(initrd), "test.img");
        byte[] buffer = new byte[1000];
        while (reader.NextSegment())
        {
            while (reader.NextEntry())
            {
                long sum = 0;
                while (reader.ReadContent(buffer) is var count and > 0)
                {
                    sum = buffer.AsSpan(0, count).ToArray().Aggregate(sum, (all, b) => (all * 31) + b);
                }

                lines.Add($"{reader.Segment.Number} {Convert.ToString(reader.Header.Mode, 8)} {reader.Header.Size} {InitrdReader.Show(reader.Name)} {sum}");
            }
        }

        return lines;
    }

    private static Dictionary<string, byte[]> MakeAll()
    {
        using var directory = new TempDirectory();
        Tools.Run("bash", "-c", Make, "bash", directory.Path).Succeeded();
        return Directory.GetFiles(directory.Path).ToDictionary(file => Path.GetFileName(file), File.ReadAllBytes);
    }
}
