using HackTree.Boot;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>HackTree's segment is added and removed, and the initrd's own bytes never change.</summary>
public sealed class InitrdPatchTests : IDisposable
{
    private readonly TempDirectory directory = new();

    public static TheoryData<string> EachWay => InitrdSamples.EachWay;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => directory.Dispose();

    [Theory]
    [MemberData(nameof(EachWay))]
    public void A_patched_initrd_has_our_files_and_gives_the_original_back(string way)
    {
        byte[] sample = InitrdSamples.Get(way);
        byte[] microcode = InitrdSamples.Get("microcode");
        for (int zeros = 0; zeros < 6; zeros++)
        {
            // Zeros at the end belong to the original, and so do those that align it.
            byte[] original = [.. microcode, .. sample, .. new byte[zeros]];
            string input = directory.Write("in", original);
            string output = directory.At("out");
            Assert.Equal(PatchResult.Changed, InitrdPatch.Patch(input, output, Stop));
            byte[] patched = File.ReadAllBytes(output);
            Assert.Equal(original, patched[..original.Length]);
            Assert.InRange(patched.Length - original.Length - BootSegment.Make(0).Length, int.MinValue, 512);
            Assert.Equal(InitrdSamples.Read(original).Count + InitrdSamples.Read(BootSegment.Make(0)).Count, InitrdSamples.Read(patched).Count);
            Assert.Empty(InitrdVerify.Run(output).Problems);

            // Without zeros, and without the magic number of a frame, lz4 would read the segment as a block.
            ReadOnlySpan<byte> behind = patched.AsSpan(original.Length - zeros);
            Assert.True(way != "lz4" || behind.StartsWith((ReadOnlySpan<byte>)[0, 0, 0, 0]) || behind.StartsWith((ReadOnlySpan<byte>)[0x02, 0x21, 0x4C, 0x18]));

            Assert.Equal(PatchResult.Unchanged, InitrdPatch.Patch(output, directory.At("again"), Stop));
            Assert.Equal(patched, File.ReadAllBytes(directory.At("again")));
            Assert.Equal(PatchResult.Changed, InitrdPatch.Unpatch(output, directory.At("back"), Stop));
            Assert.Equal(original, File.ReadAllBytes(directory.At("back")));
            Assert.Equal(original, File.ReadAllBytes(input));
        }
    }

    [Theory]
    [InlineData("usr/lib/dracut/hooks/pre-pivot/50-other.sh", "dracut made it, and dracut ignores an appended segment")]
    [InlineData("./lib/dracut/hooks/pre-pivot", "dracut made it")]
    [InlineData("var/lib/dracut/hooks/pre-pivot/50.sh", "dracut made it")]
    [InlineData("usr/lib/dracut-lib.sh", "dracut made it")]
    [InlineData("init_functions", "mkinitcpio made it, whose init does not read HackTree's files")]
    [InlineData("buildconfig", "mkinitcpio made it")]
    [InlineData("etc/booster.init.yaml", "booster made it")]
    [InlineData("bbin/init", "u-root made it")]
    [InlineData("sbin/nlplug-findfs", "mkinitfs of Alpine made it")]
    public void What_would_not_read_the_segment_is_refused_and_found(string name, string sentence)
    {
        byte[] initrd = Archive("init", name);
        string input = directory.Write("in", initrd);
        Assert.Contains(sentence, Assert.Throws<InitrdException>(() => InitrdPatch.Patch(input, directory.At("out"), Stop, _ => { })).Message, StringComparison.Ordinal);
        Assert.Contains(sentence, Assert.Throws<InitrdException>(() => InitrdPatch.Require(input, input, Stop)).Message, StringComparison.Ordinal);
        Assert.False(File.Exists(directory.At("out")));
        Assert.Contains(sentence, Assert.Single(InitrdVerify.Run(input).Problems), StringComparison.Ordinal);
        string patched = directory.Write("patched", [.. initrd, .. BootSegment.Make(0)]);
        Assert.Contains(sentence, Assert.Single(InitrdVerify.Run(patched).Problems), StringComparison.Ordinal);
    }

    [Fact]
    public void An_initrd_of_an_unknown_program_is_patched_with_a_warning_and_is_not_well()
    {
        const string Sentence = "neither initramfs-tools nor dracut made it";
        string input = directory.Write("in", Archive("init", "modules"));
        string doubt = "";
        Assert.Equal(PatchResult.Changed, InitrdPatch.Patch(input, directory.At("out"), Stop, said => doubt = said));
        Assert.Contains(Sentence, doubt, StringComparison.Ordinal);
        Assert.Contains(Sentence, Assert.Single(InitrdVerify.Run(directory.At("out")).Problems), StringComparison.Ordinal);
        Assert.Throws<InitrdException>(() => InitrdPatch.Require(input, input, Stop));
    }

    [Theory]
    [InlineData("usr/lib/dracut/hooks/pre-pivot/50-enter.sh")]
    [InlineData("var/lib/dracut/hooks/pre-pivot/50-enter.sh")]
    public void What_dracut_made_with_our_module_needs_no_segment(string hook)
    {
        byte[] Make(byte[] enter) => CpioTests.Write(writer =>
        {
            foreach (string file in new[] { "bind-ro", "image.sh", "mount-image", "subroot.sh", "trial.sh" })
            {
                BootFile ours = BootSegment.Files.Single(one => one.Path == $"hacktree/{file}");
                writer.Write(System.Text.Encoding.ASCII.GetBytes(ours.Path), new CpioHeader { Mode = 0x8000 | ours.Permissions, LinkCount = 1 }, ours.Content);
            }

            writer.Write(System.Text.Encoding.ASCII.GetBytes(hook), new CpioHeader { Mode = 0x81ED, LinkCount = 1 }, enter);
        });
        byte[] initrd = Make(BootFiles.Read("dracut/enter.sh"));
        string input = directory.Write("in", initrd);
        Assert.Empty(InitrdVerify.Run(input).Problems);
        InitrdPatch.Require(input, input, Stop);
        Assert.Equal(PatchResult.Unchanged, InitrdPatch.Patch(input, directory.At("out"), Stop));
        Assert.Equal(initrd, File.ReadAllBytes(directory.At("out")));

        string other = directory.Write("other", Make("#!/bin/sh\n"u8.ToArray()));
        string problem = $"{other}: {hook} is not the one of this program; run `hacktree initrd install` and make the initrd again";
        Assert.Equal([problem], InitrdVerify.Run(other).Problems);
        Assert.Equal(problem, Assert.Throws<InitrdException>(() => InitrdPatch.Patch(other, directory.At("out"), Stop)).Message);
    }

    [Theory]
    [InlineData("crc64", "its integrity check is crc64, and the kernel takes only crc32")]
    [InlineData("sha256", "its integrity check is sha256")]
    [InlineData("comment", "its header has an extra field, a comment or a checksum, which the kernel takes for data")]
    public void What_the_kernel_would_refuse_can_be_read_but_not_patched_and_is_not_well(string way, string sentence)
    {
        byte[] initrd = way == "comment" ? Commented(InitrdSamples.Get("gzip")) : InitrdSamples.Get(way);
        Assert.Equal(InitrdSamples.Read(InitrdSamples.Get("none")), InitrdSamples.Read(initrd));
        string input = directory.Write("in", [.. InitrdSamples.Get("microcode"), .. initrd]);
        string message = Assert.Throws<InitrdException>(() => InitrdPatch.Patch(input, directory.At("out"), Stop)).Message;
        Assert.Contains("segment 2 (", message, StringComparison.Ordinal);
        Assert.Contains(sentence, message, StringComparison.Ordinal);
        Assert.False(File.Exists(directory.At("out")));
        Assert.Equal([message], InitrdVerify.Run(input).Problems);
    }

    /// <summary>unmkinitramfs hands everything behind the microcode to one program, and asks it first whether the whole can be unpacked.</summary>
    [Theory]
    [InlineData("gzip", "gzip")]
    [InlineData("named", "gzip")]
    [InlineData("bzip2", "bzip2")]
    [InlineData("xz", "xz")]
    [InlineData("blocks", "xz")]
    [InlineData("lz4", "lz4")]
    [InlineData("zstd", "zstd")]
    [InlineData("double", "zstd")]
    public void The_program_that_unpacks_an_initrd_unpacks_the_patched_one(string way, string program)
    {
        string input = directory.Write("in", InitrdSamples.Get(way));
        InitrdPatch.Patch(input, directory.At("out"), Stop);
        string script = $"{program} -t < out && {program} -dc < in > a && {program} -dc < out > b && cmp -n $(stat -c %s a) a b && tail -c +$(($(stat -c %s a) + 1)) b > c";
        Tools.Run("bash", "-c", $"cd {directory.Path} && {script}").Succeeded();
        Assert.Equal(BootSegment.Make(0), File.ReadAllBytes(directory.At("c")));
    }

    /// <summary>As GRUB does with `initrd A B`: zeros fill up the first file to a multiple of 4 bytes.</summary>
    [Theory]
    [MemberData(nameof(EachWay))]
    public void The_separate_segment_follows_any_initrd(string way)
    {
        byte[] sample = InitrdSamples.Get(way);
        for (int zeros = 0; zeros < 4; zeros++)
        {
            // Zeros of the first file stand for the other lengths that it can have.
            byte[] first = [.. sample, .. new byte[zeros]];
            string path = directory.Write("both", [.. first, .. new byte[-first.Length & 3], .. InitrdPatch.Segment()]);
            Assert.Empty(InitrdVerify.Run(path).Problems);
            InitrdPatch.Unpatch(path, path, Stop);
            Assert.Equal([.. first, .. new byte[-first.Length & 3]], File.ReadAllBytes(path));
        }
    }

    [Fact]
    public void An_archive_may_span_frames_of_lz4_and_the_segment_is_told_from_them()
    {
        byte[] archive = InitrdSamples.Get("none");
        byte[] packed = [.. SegmentPacking.Pack(Compression.Lz4, archive[..1001]), .. SegmentPacking.Pack(Compression.Lz4, archive[1001..])];
        Assert.Equal(InitrdSamples.Read(archive), InitrdSamples.Read(packed));
        string path = directory.Write("in", packed);
        Assert.Equal(PatchResult.Changed, InitrdPatch.Patch(path, directory.At("out"), Stop));
        Assert.Equal([.. packed, .. SegmentPacking.Pack(Compression.Lz4, BootSegment.Make(0))], File.ReadAllBytes(directory.At("out")));
        Assert.Empty(InitrdVerify.Run(directory.At("out")).Problems);
        InitrdPatch.Unpatch(directory.At("out"), directory.At("back"), Stop);
        Assert.Equal(packed, File.ReadAllBytes(directory.At("back")));
    }

    [Fact]
    public void Behind_a_frame_of_lz4_that_ends_unaligned_the_segment_stays_bare()
    {
        byte[] archive = InitrdSamples.Get("none");
        byte[] packed = SegmentPacking.Pack(Compression.Lz4, [.. archive, 0]);
        string path = directory.Write("in", packed);
        InitrdPatch.Patch(path, directory.At("out"), Stop);
        byte[] patched = File.ReadAllBytes(directory.At("out"));
        Assert.Equal(new byte[Lz4Decoder.EndLength], patched[packed.Length..(packed.Length + Lz4Decoder.EndLength)]);
        Assert.Empty(InitrdVerify.Run(directory.At("out")).Problems);

        // In the same frame, the kernel says "broken padding".
        byte[] joined = [.. packed, .. SegmentPacking.Pack(Compression.Lz4, BootSegment.Make(0))];
        Assert.Contains("does not begin at a multiple of 4 bytes", Assert.Throws<InitrdException>(() => InitrdSamples.Read(joined)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_file_is_patched_and_unpatched_in_its_place()
    {
        byte[] original = InitrdSamples.Get("zstd");
        string path = directory.Write("initrd.img", original);
        Tools.Run("chmod", "600", path).Succeeded();
        File.CreateSymbolicLink(directory.At("link"), "initrd.img");
        Assert.Equal(PatchResult.Changed, InitrdPatch.Patch(path, directory.At("link"), Stop));
        Assert.NotNull(new FileInfo(directory.At("link")).LinkTarget);
        Assert.Equal("600\n", Tools.Run("stat", "-c", "%a", path).Succeeded());
        DateTime time = File.GetLastWriteTimeUtc(path);
        Assert.Equal(PatchResult.Unchanged, InitrdPatch.Patch(path, path, Stop));
        Assert.Equal(time, File.GetLastWriteTimeUtc(path));
        Assert.Equal(PatchResult.Changed, InitrdPatch.Unpatch(path, path, Stop));
        Assert.Equal(original, File.ReadAllBytes(path));
        Assert.Equal(PatchResult.Unchanged, InitrdPatch.Unpatch(path, path, Stop));
        Assert.Equal(2, Directory.GetFileSystemEntries(directory.Path).Length);
    }

    [Fact]
    public void What_another_version_appended_is_replaced()
    {
        byte[] original = InitrdSamples.Get("gzip");
        int padding = -original.Length & 3;
        byte[] older = CpioTests.Write(writer =>
        {
            writer.Write("hacktree"u8, new CpioHeader { Mode = 0x41ED, LinkCount = 2 }, []);
            writer.Write("hacktree/version"u8, new CpioHeader { Mode = 0x81A4, LinkCount = 1 }, System.Text.Encoding.ASCII.GetBytes($"0.0.1\npadding {padding}\n"));
            writer.Write("hacktree/bind-ro"u8, new CpioHeader { Mode = 0x81ED, LinkCount = 1 }, "old"u8);
        });
        string path = directory.Write("old", [.. original, .. new byte[padding], .. older]);
        IReadOnlyList<string> problems = InitrdVerify.Run(path).Problems;
        Assert.Contains($"{path}: hacktree/bind-ro is not the one of this program; run `hacktree initrd patch` on it again", problems);
        Assert.Equal(PatchResult.Replaced, InitrdPatch.Patch(path, path, Stop));
        Assert.Equal([.. original, .. SegmentPacking.Pack(Compression.Gzip, BootSegment.Make(0))], File.ReadAllBytes(path));
        Assert.Empty(InitrdVerify.Run(path).Problems);
    }

    [Fact]
    public void A_segment_put_behind_with_cat_is_found_and_what_others_appended_stays()
    {
        byte[] original = InitrdSamples.Get("xz");
        string path = directory.Write("cat", [.. original, .. BootSegment.MakeSeparate()]);
        Assert.Empty(InitrdVerify.Run(path).Problems);
        InitrdPatch.Unpatch(path, path, Stop);
        Assert.Equal(original, File.ReadAllBytes(path));
        InitrdPatch.Patch(path, path, Stop);
        byte[] more = [.. File.ReadAllBytes(path), .. InitrdSamples.Get("none")];
        File.WriteAllBytes(path, more);
        Assert.Empty(InitrdVerify.Run(path).Problems);
        InitrdPatch.Unpatch(path, path, Stop);
        Assert.Equal([.. InitrdSamples.Aligned(original), .. InitrdSamples.Get("none")], File.ReadAllBytes(path));
    }

    [Theory]
    [InlineData("padding 9\n")]
    [InlineData("padding -1\n")]
    [InlineData("padding 3\n")]
    public void A_version_that_says_what_cannot_be_is_refused(string line)
    {
        byte[] forged = CpioTests.Write(writer =>
        {
            writer.Write("hacktree"u8, new CpioHeader { Mode = 0x41ED, LinkCount = 2 }, []);
            writer.Write("hacktree/version"u8, new CpioHeader { Mode = 0x81A4, LinkCount = 1 }, System.Text.Encoding.ASCII.GetBytes($"0.0.1\n{line}"));
        });

        // Only the original is before it: no zeros.
        byte[] original = CpioTests.Write(writer => writer.Write("a"u8, new CpioHeader { Mode = 0x41ED, LinkCount = 2 }, []));
        byte[] packed = Pack(original);
        string path = directory.Write("forged", [.. packed, .. Pack(forged)]);
        Assert.Contains("does not say how many zeros", Assert.Throws<InitrdException>(() => InitrdPatch.Unpatch(path, path, Stop)).Message);
        Assert.Contains("does not say how many zeros", Assert.Single(InitrdVerify.Run(path).Problems));
    }

    [Fact]
    public void The_segment_alone_is_no_initrd()
    {
        string path = directory.Write("alone", BootSegment.MakeSeparate());
        Assert.Contains("nothing but HackTree's segment", Assert.Throws<InitrdException>(() => InitrdPatch.Patch(path, path, Stop)).Message);
        Assert.Contains("nothing but HackTree's segment", Assert.Throws<InitrdException>(() => InitrdPatch.Unpatch(path, path, Stop)).Message);
        Assert.Empty(InitrdVerify.Run(path).Problems);
    }

    [Fact]
    public void The_segment_never_has_a_directory_that_is_a_symbolic_link_in_an_initramfs()
    {
        byte[] segment = BootSegment.Make(0);
        Assert.Equal(segment, BootSegment.Make(0));
        Assert.Equal(BootSegment.MakeSeparate(), BootSegment.MakeSeparate());
        using var reader = new InitrdReader(new MemoryStream(segment), "segment");
        Assert.True(reader.NextSegment());
        uint inode = 0;
        while (reader.NextEntry())
        {
            Assert.Equal((++inode, 0u, 0u, 0u), (reader.Header.Inode, reader.Header.Uid, reader.Header.Gid, reader.Header.ModifyTime));
            Assert.DoesNotContain(InitrdReader.Show(reader.Name), new[] { "bin", "sbin", "lib", "lib64", "usr", "etc", "." });
        }

        Assert.Equal(BootFiles.Read("native/bind-ro"), BootSegment.Files.Single(file => file.Path == "hacktree/bind-ro").Content);
        Assert.Equal(BootFiles.Under("initramfs").Count + BootFiles.Under("native").Count, BootSegment.Files.Count);
    }

    [Fact]
    public void A_full_disk_is_one_sentence_and_nothing_is_lost()
    {
        using var disk = new LoopFilesystem("ext4", 8, "-m", "0");
        byte[] original = [.. InitrdSamples.Get("none"), .. new byte[4 * 1024 * 1024]];
        File.WriteAllBytes(disk.At("initrd"), original);
        Tools.Run("sync", "-f", disk.Path).Succeeded();
        string sentence = Assert.Throws<StoreException>(() => InitrdPatch.Patch(disk.At("initrd"), disk.At("initrd"), Stop)).Message;
        Assert.Equal($"{disk.At("initrd")}: no space left on the filesystem; nothing was changed: make room, where it is /boot by removing an old kernel, and try again", sentence);
        Assert.Equal(original, File.ReadAllBytes(disk.At("initrd")));
        Assert.Equal(["initrd", "lost+found"], Directory.GetFileSystemEntries(disk.Path).Select(Path.GetFileName).Order());
    }

    private static byte[] Archive(params string[] names) => CpioTests.Write(writer =>
    {
        foreach (string name in names)
        {
            writer.Write(System.Text.Encoding.ASCII.GetBytes(name), new CpioHeader { Mode = 0x81ED, LinkCount = 1 }, "x"u8);
        }
    });

    private static byte[] Commented(byte[] gzip)
    {
        const int FlagsOffset = 3, HeaderLength = 10, HasComment = 16;
        byte[] header = gzip[..HeaderLength];
        header[FlagsOffset] |= HasComment;
        return [.. header, .. "said\0"u8, .. gzip[HeaderLength..]];
    }

    private static byte[] Pack(byte[] bytes)
    {
        var packed = new MemoryStream();
        using (var gzip = new System.IO.Compression.GZipStream(packed, System.IO.Compression.CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(bytes);
        }

        return packed.ToArray();
    }
}
