using System.Text;
using HackTree.Model;
using HackTree.Tests.Support;

namespace HackTree.Tests.Checkout;

/// <summary>HackTree reads archives of GNU tar and Python, and they read HackTree's.</summary>
public sealed class TarProgramTests : IDisposable
{
    private readonly TempDirectory directory = new();

    private string Tree => directory.At("tree");

    private string Archive => directory.At("archive.tar");

    public void Dispose() => directory.Dispose();

    [Theory]
    [InlineData("v7")]
    [InlineData("ustar", "dev")]
    [InlineData("oldgnu", "dev", "long")]
    [InlineData("gnu", "dev", "long")]
    [InlineData("pax", "dev", "long")]
    [InlineData("pax", "dev", "long", "xattr")]
    public void What_GNU_tar_archives_is_read_as_it_is_on_disk(string format, params string[] can)
    {
        TarPython.Run(TarPython.MakeTree, [Tree, .. can]);
        Assert.Equal(LinesOfTree(Tree, can), TarItem.Lines(TarItem.Read(MakeArchive(format, can))));
    }

    [Fact]
    public void What_we_archive_is_extracted_by_GNU_tar_and_listed_by_Python_as_it_was()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root can extract owners and devices");
        string[] can = ["dev", "long", "xattr"];
        TarPython.Run(TarPython.MakeTree, [Tree, .. can]);
        List<TarItem> items = [.. TarItem.WithoutLinks(TarItem.Read(MakeArchive("pax", can))).Select(item => item with { Path = Plain(item.Path) })];

        File.WriteAllBytes(Archive, TarItem.Write(items));
        string extracted = Directory.CreateDirectory(directory.At("extracted")).FullName;
        ToolResult tar = Tools.Run("tar", "-C", extracted, "--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner", "--warning=no-timestamp", "-xpf", Archive);
        tar.Succeeded();
        Assert.All(Lines(tar.Error), line => Assert.Contains("hdrcharset", line));
        Assert.Equal(LinesOfTree(Tree, can), LinesOfTree(extracted, can));

        List<TarItem> plain = [.. items.Select(item => item with { Entry = item.Entry with { Xattrs = WithoutLists(item.Entry.Xattrs) } })];
        Assert.Equal(TarItem.Lines(plain), TarPython.RunLines(TarPython.ArchiveLines, Archive));
    }

    [Fact]
    public void Access_lists_come_in_the_text_of_GNU_tar_alone()
    {
        TarPython.Run(TarPython.MakeTree, Tree, "xattr", "dev");
        Tools.Run("tar", "-C", Tree, "--format=pax", "--acls", "--numeric-owner", "-cf", Archive, ".").Succeeded();
        string[] lists = [.. TarItem.Read(File.ReadAllBytes(Archive)).Where(item => item.Entry.Xattrs.Length > 0).Select(item => item.Line())];
        Assert.Equal(3, lists.Length);
        Assert.All(lists, line => Assert.Contains(line, LinesOfTree(Tree, ["xattr"])));
    }

    [Fact]
    public void A_list_with_names_needs_the_attribute_beside_it()
    {
        Tools.Require("setfacl");
        Directory.CreateDirectory(Tree);
        File.WriteAllBytes(Path.Combine(Tree, "file"), []);
        Tools.Run("setfacl", "-m", "u:daemon:r", Path.Combine(Tree, "file")).Succeeded();
        Assert.Equal(LinesOfTree(Tree, ["xattr"]), TarItem.Lines(TarItem.Read(MakeArchive("pax", ["xattr"]))));
        Tools.Run("tar", "-C", Tree, "--format=pax", "--acls", "-cf", Archive, ".").Succeeded();
        var error = Assert.Throws<HackTree.Checkout.TarException>(() => TarItem.Read(File.ReadAllBytes(Archive)));
        Assert.Contains("names daemon without a number; make the archive with --xattrs --xattrs-include='*'", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GNU_FORMAT")]
    [InlineData("PAX_FORMAT")]
    public void What_Python_archives_is_read_as_it_is_on_disk(string format)
    {
        TarPython.Run(TarPython.MakeTree, Tree, "dev", "long");
        TarPython.Run(
            "import sys, tarfile\nwith tarfile.open(sys.argv[1], 'w', format=getattr(tarfile, sys.argv[3]), errors='surrogateescape') as t: t.add(sys.argv[2], '.')",
            Archive, Tree, format);

        // Python writes times as floating-point numbers in pax archives, and rounds them towards zero in GNU archives.
        string[] fromDisk = [.. LinesOfTree(Tree, []).Select(WithoutTime)];
        Assert.Equal(fromDisk, TarItem.Lines(TarItem.Read(File.ReadAllBytes(Archive))).Select(WithoutTime));
    }

    [Theory]
    [InlineData("tar", "--sparse", "--format=gnu")]
    [InlineData("tar", "--sparse", "--format=pax", "--sparse-version=0.0")]
    [InlineData("tar", "--sparse", "--format=pax", "--sparse-version=0.1")]
    [InlineData("tar", "--sparse", "--format=pax", "--sparse-version=1.0")]
    [InlineData("bsdtar", "--format=pax")]
    [InlineData("bsdtar", "--format=gnutar")]
    public void Files_with_holes_are_read_in_all_forms(string program, params string[] format)
    {
        Tools.Require(program);
        Directory.CreateDirectory(Tree);
        byte[][] contents =
        [
            Holes(1 << 20, 1 << 19),
            Holes(1 << 20),
            Holes(300_000, 0, 65_536, 131_072, 196_608, 262_144, 299_999),
            Holes(70_000, [.. Enumerable.Range(0, 17).Select(i => i * 4096)]),
        ];
        for (int i = 0; i < contents.Length; i++)
        {
            WriteSparse(Path.Combine(Tree, $"file{i}"), contents[i]);
        }

        Tools.Run(program, ["-C", Tree, .. format, "-cf", Archive, "."]).Succeeded();
        var items = TarItem.Read(File.ReadAllBytes(Archive))
            .Where(item => item.Entry.Kind == EntryKind.Regular)
            .ToDictionary(item => Encoding.ASCII.GetString(item.Path), item => item.Content);
        Assert.Equal(contents.Length, items.Count);
        for (int i = 0; i < contents.Length; i++)
        {
            Assert.Equal(contents[i], items[$"./file{i}"]);
        }

        static byte[] Holes(int size, params int[] written)
        {
            byte[] content = new byte[size];
            Array.ForEach(written, at => content[at] = 1);
            return content;
        }
    }

    /// <summary>Writes only the blocks that are not zero.</summary>
    private static void WriteSparse(string path, byte[] content)
    {
        using FileStream file = File.Create(path);
        file.SetLength(content.Length);
        for (int at = 0; at < content.Length; at += 4096)
        {
            ReadOnlySpan<byte> block = content.AsSpan(at, Math.Min(4096, content.Length - at));
            if (block.IndexOfAnyExcept((byte)0) >= 0)
            {
                file.Position = at;
                file.Write(block);
            }
        }
    }

    [Fact]
    public void A_volume_label_is_passed_over_and_an_incremental_archive_read()
    {
        TarPython.Run(TarPython.MakeTree, Tree, "dev", "long");
        string[] fromDisk = LinesOfTree(Tree, []);
        Tools.Run("tar", "-C", Tree, "--format=gnu", "-V", "a label", "-g", directory.At("snapshot"), "--numeric-owner", "-cf", Archive, ".").Succeeded();
        Assert.Equal(fromDisk, TarItem.Lines(TarItem.Read(File.ReadAllBytes(Archive))));
    }

    private byte[] MakeArchive(string format, string[] can)
    {
        string[] xattrs = can.Contains("xattr") ? ["--xattrs", "--xattrs-include=*", "--acls"] : [];
        Tools.Run("tar", ["-C", Tree, $"--format={format}", "--numeric-owner", .. xattrs, "-cf", Archive, "."]).Succeeded();
        return File.ReadAllBytes(Archive);
    }

    private static string[] LinesOfTree(string tree, string[] can) =>
        TarPython.RunLines(TarPython.Lines, can.Contains("xattr") ? [tree, "xattr"] : [tree]);

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static byte[] Plain(byte[] path)
    {
        ReadOnlySpan<byte> plain = path.AsSpan().TrimEnd((byte)'/');
        return plain.SequenceEqual("."u8) ? [] : plain["./".Length..].ToArray();
    }

    /// <summary>Python's tarfile does not know access control lists.</summary>
    private static byte[] WithoutLists(ReadOnlySpan<byte> xattrs)
    {
        var kept = new List<(byte[], byte[])>();
        while (XattrSet.Next(ref xattrs, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
        {
            if (!name.StartsWith("system.posix_acl_"u8))
            {
                kept.Add((name.ToArray(), value.ToArray()));
            }
        }

        return XattrSet.Encode(kept);
    }

    private static string WithoutTime(string line)
    {
        string[] fields = line.Split(' ');
        fields[4] = "";
        return string.Join(' ', fields);
    }
}
