using System.Text;
using HackTree.Boot;
using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>Archives are written and read back, GNU cpio agrees, and a hostile archive gives one sentence.</summary>
public sealed class CpioTests
{
    private const uint RegularMode = 0x81A4;

    [Fact]
    public void An_archive_comes_back_as_it_was_written()
    {
        byte[] archive = Write((writer) =>
        {
            writer.Write("dir"u8, new CpioHeader { Mode = 0x41ED, LinkCount = 2, Uid = 1, Gid = 2, ModifyTime = 3 }, []);
            writer.Write("dir/a"u8, new CpioHeader { Mode = RegularMode, LinkCount = 1, HasChecksum = true }, "content"u8);
            writer.Write("link"u8, new CpioHeader { Mode = 0xA1FF, LinkCount = 1 }, "dir/a"u8);
            writer.Write("null"u8, new CpioHeader { Mode = 0x21B6, LinkCount = 1, DeviceMajor = 1, DeviceMinor = 3 }, []);
        });
        Assert.Equal(0, archive.Length % 4);
        using var reader = new InitrdReader(new MemoryStream(archive), "a");
        Assert.True(reader.NextSegment());
        Assert.True(reader.NextEntry());
        Assert.Equal((FileType.Directory, 1u, 2u, 3u, 1u), (reader.Header.Type, reader.Header.Uid, reader.Header.Gid, reader.Header.ModifyTime, reader.Header.Inode));
        Assert.True(reader.NextEntry());
        byte[] content = new byte[20];
        Assert.Equal(7, reader.ReadContent(content));
        Assert.Equal("content", Encoding.ASCII.GetString(content, 0, 7));
        Assert.Equal(0, reader.ReadContent(content));
        Assert.True(reader.NextEntry());
        Assert.True(reader.Target.SequenceEqual("dir/a"u8));
        Assert.True(reader.NextEntry());
        Assert.Equal((1u, 3u, 4u), (reader.Header.DeviceMajor, reader.Header.DeviceMinor, reader.Header.Inode));
        Assert.False(reader.NextEntry());
        Assert.Equal(archive.Length, reader.End + CpioHeader.Padding(reader.End));
        Assert.False(reader.NextSegment());
    }

    [Fact]
    public void A_header_is_these_bytes()
    {
        byte[] archive = Write(writer => writer.Write("a"u8, new CpioHeader { Mode = RegularMode, LinkCount = 1, ModifyTime = 0x65, DeviceMajor = 0xAB }, "xyz"u8));
        Assert.Equal(
            "070701" + "00000001" + "000081A4" + "00000000" + "00000000" + "00000001" + "00000065" + "00000003" + "00000000" + "00000000" + "000000AB" + "00000000" + "00000002" + "00000000"
            + "a\0" + "xyz\0"
            + "070701" + "00000000" + "00000000" + "00000000" + "00000000" + "00000001" + "00000000" + "00000000" + "00000000" + "00000000" + "00000000" + "00000000" + "0000000B" + "00000000"
            + "TRAILER!!!\0" + "\0\0\0",
            Encoding.ASCII.GetString(archive));
    }

    [Fact]
    public void Gnu_cpio_reads_what_is_written()
    {
        Tools.Require("cpio");
        using var directory = new TempDirectory();
        directory.Write("segment", BootSegment.Make(3));
        string listed = Tools.Run("sh", "-c", $"cpio -it --quiet < {directory.At("segment")}").Succeeded();
        Assert.StartsWith("hacktree\nhacktree/version\nhacktree/bind-ro\n", listed);
        Tools.Run("sh", "-c", $"cd {directory.Path} && cpio -id --quiet < segment && test -x hacktree/bind-ro").Succeeded();
        Assert.Equal(BootFiles.Read("native/bind-ro"), File.ReadAllBytes(directory.At("hacktree/bind-ro")));
        Assert.EndsWith("padding 3\n", File.ReadAllText(directory.At("hacktree/version")));
    }

    [Theory]
    [InlineData("no header of a cpio entry", 6, "0000000g")]
    [InlineData("no header of a cpio entry", 54, " 0000003")]
    [InlineData("no header of a cpio entry", 0, "070703")]
    [InlineData("cpio archive of the old format", 0, "070707")]
    [InlineData("with a name of 0 bytes", 94, "00000000")]
    [InlineData("with a name of 4294967295 bytes", 94, "FFFFFFFF")]
    [InlineData("with a name of 4097 bytes", 94, "00001001")]
    [InlineData("name is empty or has no end", 94, "00000001")]
    [InlineData("a: the cpio archive is cut short in this entry", 54, "FFFFFFFF")]
    [InlineData("a: the cpio archive is cut short in this entry", 54, "7FFFFFFF")]
    [InlineData("a symbolic link's target of 4096 bytes", 14, "0000A1FF", 54, "00001000")]
    [InlineData("a symbolic link's target with a NUL byte", 14, "0000A1FF", 54, "00000004")]
    [InlineData("not what its checksum says", 0, "070702")]
    public void A_hostile_header_is_one_sentence(string sentence, int at, string bytes, int secondAt = 0, string secondBytes = "")
    {
        byte[] archive = Write(writer => writer.Write("a"u8, new CpioHeader { Mode = RegularMode, LinkCount = 1 }, "xyz"u8));
        Encoding.ASCII.GetBytes(bytes).CopyTo(archive, at);
        Encoding.ASCII.GetBytes(secondBytes).CopyTo(archive, secondAt);
        var e = Assert.Throws<InitrdException>(() => InitrdSamples.Read(archive));
        Assert.Contains(sentence, e.Message);
        Assert.StartsWith("test.img: segment 1 (bare cpio) at byte 0: ", e.Message);
    }

    [Fact]
    public void Every_archive_that_is_cut_short_is_refused()
    {
        byte[] archive = Write(writer => writer.Write("a"u8, new CpioHeader { Mode = RegularMode, LinkCount = 1 }, "xyz"u8));
        for (int length = 6; length < archive.Length - 3; length++)
        {
            var e = Assert.Throws<InitrdException>(() => InitrdSamples.Read(archive[..length]));
            Assert.Contains("cut short", e.Message);
        }

        Assert.Single(InitrdSamples.Read(archive[..^3]));
    }

    [Fact]
    public void Zeros_behind_a_name_are_no_part_of_it()
    {
        byte[] archive = Write(writer => writer.Write("ab\0\0\0\0"u8, new CpioHeader { Mode = RegularMode, LinkCount = 1 }, "xyz"u8));
        Assert.Matches("^1 100644 3 ab [0-9]+$", Assert.Single(InitrdSamples.Read(archive)));
    }

    /// <summary>A complete archive, with its trailer.</summary>
    internal static byte[] Write(Action<CpioWriter> content)
    {
        var bytes = new MemoryStream();
        var writer = new CpioWriter(bytes);
        content(writer);
        writer.End();
        return bytes.ToArray();
    }
}
