using System.Text;
using HackTree.Boot;
using HackTree.Linux;
using HackTree.Store;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>An initrd becomes a directory as the kernel would make it, and nothing outside changes.</summary>
public sealed class InitrdExtractTests : IDisposable
{
    private const uint Regular = 0x81A4, Folder = 0x41ED, Symlink = 0xA1FF;

    private readonly TempDirectory directory = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => directory.Dispose();

    [Fact]
    public void It_is_what_cpio_makes_of_it()
    {
        string path = directory.Write("initrd", [.. InitrdSamples.Get("microcode"), .. InitrdSamples.Get("xz")]);
        using (InitrdReader reader = InitrdReader.Open(path, Stop))
        {
            InitrdExtract extract = InitrdExtract.Run(reader, directory.At("ours"));
            Assert.Equal((0, InitrdSamples.Read(File.ReadAllBytes(path)).Count), (extract.SkippedDevices, extract.Entries));
        }

        directory.Write("micro.cpio", InitrdSamples.Get("microcode"));
        directory.Write("none.cpio", InitrdSamples.Get("none"));
        Tools.Run("sh", "-c", $"cd {directory.Path} && mkdir theirs && cd theirs && cpio -idm --quiet < ../micro.cpio && cpio -idmu --quiet < ../none.cpio").Succeeded();

        // cpio does not keep the times of directories that it fills.
        Comparison.Same(directory.At("theirs"), directory.At("ours"), "--without", "mtime");
        Assert.Equal(File.GetLastWriteTimeUtc(directory.At("theirs/usr/bin/tool")), File.GetLastWriteTimeUtc(directory.At("ours/usr/bin/tool")));
        Assert.Equal("2\n", Tools.Run("stat", "-c", "%h", directory.At("ours/usr/bin/tool")).Succeeded());
    }

    [Fact]
    public void A_later_entry_takes_the_place_of_an_earlier_one()
    {
        byte[] first = CpioTests.Write(writer =>
        {
            Write(writer, "file", Regular, "a longer text");
            Write(writer, "becomes-link", Regular, "x");
            Write(writer, "becomes-file", Symlink, "/etc/passwd");
            Write(writer, "becomes-dir", Regular, "x");
            Write(writer, "was-dir", Folder, "");
            writer.Write("one"u8, new CpioHeader { Mode = Regular, LinkCount = 2, Inode = 99 }, []);
            writer.Write("two"u8, new CpioHeader { Mode = Regular, LinkCount = 2, Inode = 99 }, "shared"u8);
        });
        byte[] second = CpioTests.Write(writer =>
        {
            Write(writer, "./file", 0x81ED, "short");
            Write(writer, "/becomes-link", Symlink, "file");
            Write(writer, "becomes-file", Regular, "mine");
            Write(writer, "becomes-dir", Folder, "");
            Write(writer, "becomes-dir/new/file", Regular, "deep");
            Write(writer, "was-dir", Regular, "file");

            // The inode number is that of another file in the archive before.
            writer.Write("three"u8, new CpioHeader { Mode = Regular, LinkCount = 2, Inode = 99 }, "other"u8);
        });
        Extract([.. first, .. second]);
        Assert.Equal("short", Text("file"));
        Assert.Equal("file", new FileInfo(At("becomes-link")).LinkTarget);
        Assert.Equal("mine", Text("becomes-file"));
        Assert.Null(new FileInfo(At("becomes-file")).LinkTarget);
        Assert.Equal("deep", Text("becomes-dir/new/file"));
        Assert.Equal("file", Text("was-dir"));
        Assert.Equal(("shared", "shared", "other"), (Text("one"), Text("two"), Text("three")));
        Assert.Equal("755\n", Tools.Run("stat", "-c", "%a", At("file")).Succeeded());
        Assert.Equal(DateTime.UnixEpoch, File.GetLastWriteTimeUtc(At("file")));
    }

    /// <summary>The kernel opens the file that is there, and truncates it.</summary>
    [Fact]
    public void A_later_entry_writes_all_names_of_an_earlier_file()
    {
        byte[] first = CpioTests.Write(writer =>
        {
            writer.Write("one"u8, new CpioHeader { Mode = Regular, LinkCount = 2, Inode = 9 }, []);
            writer.Write("two"u8, new CpioHeader { Mode = Regular, LinkCount = 2, Inode = 9 }, "some content"u8);
        });
        Extract([.. first, .. CpioTests.Write(writer => Write(writer, "one", Regular, "new"))]);
        Assert.Equal(("new", "new"), (Text("one"), Text("two")));
    }

    [Theory]
    [InlineData("../out", "it leads out of the directory")]
    [InlineData("a/../../out", "it leads out of the directory")]
    [InlineData("/../out", "it leads out of the directory")]
    [InlineData("link2/sub/out", "a symbolic link that leads to no directory, or something else that is no directory, stands in its path")]
    [InlineData("link2/out", "a symbolic link that leads to no directory")]
    [InlineData("loop/out", "a symbolic link that leads to no directory")]
    [InlineData("file/out", "something else that is no directory, stands in its path")]
    [InlineData(".", "the name of the top directory stands for something else")]
    [InlineData("full", "stands where an earlier entry made a directory")]
    public void No_name_and_no_symbolic_link_leads_out(string name, string sentence)
    {
        Directory.CreateDirectory(directory.At("elsewhere/sub"));
        byte[] archive = CpioTests.Write(writer =>
        {
            Write(writer, "loop", Symlink, "loop");
            Write(writer, "link2", Symlink, "../elsewhere");
            Write(writer, "file", Regular, "x");
            Write(writer, "full/x", Regular, "x");
            Write(writer, name, Regular, "bad");
        });
        Assert.Contains(sentence, Assert.Throws<InitrdException>(() => Extract(archive)).Message);
        Assert.Equal(["elsewhere", "initrd", "out"], Directory.GetFileSystemEntries(directory.Path).Select(Path.GetFileName).Order());
        Assert.Equal(["sub"], Directory.GetFileSystemEntries(directory.At("elsewhere")).Select(Path.GetFileName));
        Assert.Empty(Directory.GetFileSystemEntries(directory.At("elsewhere/sub")));
        Assert.Equal("x", Text("file"));
    }

    [Fact]
    public void An_entry_behind_a_link_gets_where_the_kernel_would_put_it()
    {
        Extract(CpioTests.Write(writer =>
        {
            Write(writer, "up", Symlink, "../..");
            Write(writer, "up/top", Regular, "top");
            Write(writer, "lib", Symlink, "/usr/lib");
            Write(writer, "usr/lib", Folder, "");
            Write(writer, "lib/modules/x.ko", Regular, "module");
            writer.Write("lib/modules"u8, new CpioHeader { Mode = 0x41C0, LinkCount = 2 }, []);
            Write(writer, "a", Folder, "");
            Write(writer, "b", Folder, "");
            Write(writer, "now", Symlink, "a");
            Write(writer, "now/one", Regular, "1");
            Write(writer, "now", Symlink, "b");
            Write(writer, "now/two", Regular, "2");
        }));
        Assert.Equal(("top", "module", "1", "2"), (Text("top"), Text("usr/lib/modules/x.ko"), Text("a/one"), Text("b/two")));
        Assert.Equal("700\n", Tools.Run("stat", "-c", "%a", At("usr/lib/modules")).Succeeded());
        Assert.Equal("/usr/lib", new FileInfo(At("lib")).LinkTarget);
    }

    [Fact]
    public void A_hard_link_through_a_symbolic_link_is_refused()
    {
        directory.Write("secret", "secret"u8);
        byte[] archive = CpioTests.Write(writer =>
        {
            writer.Write("d/secret"u8, new CpioHeader { Mode = Regular, LinkCount = 2, Inode = 9 }, "mine"u8);
            Write(writer, "d/secret", Symlink, "x");
            Write(writer, "e", Symlink, "..");
            writer.Write("f"u8, new CpioHeader { Mode = Regular, LinkCount = 2, Inode = 9 }, "overwritten"u8);
        });

        // "f" becomes another name of the symbolic link "d/secret", and must not be opened for writing.
        Assert.ThrowsAny<IOException>(() => Extract(archive));
        Assert.Equal("secret", File.ReadAllText(directory.At("secret")));
    }

    [Fact]
    public void A_directory_that_is_not_empty_is_left_alone()
    {
        directory.Write("initrd", InitrdSamples.Get("none"));
        using InitrdReader reader = InitrdReader.Open(directory.At("initrd"), Stop);
        Assert.Contains("the directory is not empty", Assert.Throws<StoreException>(() => InitrdExtract.Run(reader, directory.Path)).Message);
        Assert.Single(Directory.GetFileSystemEntries(directory.Path));
    }

    [Fact]
    public void Device_nodes_are_made_by_root()
    {
        Assert.SkipUnless(Sys.IsRoot, "only root can make device nodes");
        Extract(CpioTests.Write(writer =>
        {
            writer.Write("null"u8, new CpioHeader { Mode = 0x21B6, LinkCount = 1, DeviceMajor = 1, DeviceMinor = 3 }, []);
            writer.Write("again"u8, new CpioHeader { Mode = 0x21B6, LinkCount = 1, Uid = 7 }, []);
            writer.Write("again"u8, new CpioHeader { Mode = 0x21B6, LinkCount = 1, Uid = 8 }, []);
        }));
        Assert.Equal("character special file 666 1 3 0\ncharacter special file 666 0 0 8\n", Tools.Run("stat", "-c", "%F %a %t %T %u", At("null"), At("again")).Succeeded());
    }

    private static void Write(CpioWriter writer, string name, uint mode, string content) =>
        writer.Write(Encoding.UTF8.GetBytes(name), new CpioHeader { Mode = mode, LinkCount = 1 }, Encoding.UTF8.GetBytes(content));

    private void Extract(byte[] initrd)
    {
        directory.Write("initrd", initrd);
        using InitrdReader reader = InitrdReader.Open(directory.At("initrd"), Stop);
        InitrdExtract.Run(reader, At(""));
    }

    private string At(string name) => directory.At($"out/{name}");

    private string Text(string name) => File.ReadAllText(At(name));
}
