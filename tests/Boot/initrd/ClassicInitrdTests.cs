using System.IO.Compression;
using System.Text;
using HackTree.Boot;
using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Boot;

/// <summary>`hacktree initrd patch --classic`: unpacks, adds the two programs, packs.</summary>
public sealed class ClassicInitrdTests : IDisposable
{
    private const string Init = "#!/bin/sh\nexec switch_root --subroot=x\n";

    private readonly TempDirectory directory = new();
    private readonly string init;
    private readonly string switchRoot;
    private readonly byte[] program;

    public ClassicInitrdTests()
    {
        program = [.. "\u007fELF"u8, .. new byte[60], .. "subroot"u8];
        init = directory.Write("init", Encoding.ASCII.GetBytes(Init));
        switchRoot = directory.Write("switch_root", program);
    }

    [Fact]
    public void The_programs_are_replaced_and_all_else_stays()
    {
        byte[] early = Archive(Folder("."), Folder("kernel"), File("kernel/x86/microcode/GenuineIntel.bin", "microcode"));
        byte[] main = Archive(
            Folder("."), Link("sbin", "usr/sbin"), Folder("usr/sbin"), File("init", "stock"), File("scripts/functions", "f"),
            File("usr/sbin/switch_root", "busybox"), File("etc/m\u00f8de", "x", 0x180));
        string output = Patch([.. early, .. Gzip(main)]);

        Assert.Equal(early, System.IO.File.ReadAllBytes(output)[..early.Length]);
        Assert.Equal(
            [
                "1 None 40755 . ", "1 None 40755 kernel ", "1 None 100644 kernel/x86/microcode/GenuineIntel.bin microcode",
                "2 Gzip 40755 . ", "2 Gzip 120777 sbin usr/sbin", "2 Gzip 40755 usr/sbin ", "2 Gzip 100644 scripts/functions f", "2 Gzip 100600 etc/m\u00f8de x",
                $"2 Gzip 100755 init {Init}", $"2 Gzip 100755 usr/sbin/switch_root {Encoding.UTF8.GetString(program)}",
            ],
            Entries(output));
    }

    [Fact]
    public void To_patch_again_changes_nothing()
    {
        string output = Patch(Gzip(Stock()));
        byte[] once = System.IO.File.ReadAllBytes(output);
        ClassicInitrd.Patch(output, output, init, switchRoot, Stop);
        Assert.Equal(once, System.IO.File.ReadAllBytes(output));
    }

    [Fact]
    public void Names_of_one_file_stay_so_and_files_of_two_archives_do_not_become_one()
    {
        CpioHeader linked = new() { Inode = 7, Mode = 0x81A4, LinkCount = 2 };
        byte[] first = Archive(("a", linked, ""), ("b", linked, "ab"));
        string output = Patch([.. first, .. Archive(("c", linked, ""), ("d", linked, "cd")), .. Gzip(Stock())]);

        using var reader = InitrdReader.Open(output, Stop);
        Assert.True(reader.NextSegment());
        List<uint> inodes = [];
        while (reader.NextEntry() && inodes.Count < 4)
        {
            inodes.Add(reader.Header.Inode);
        }

        Assert.Equal(inodes[0], inodes[1]);
        Assert.Equal(inodes[2], inodes[3]);
        Assert.NotEqual(inodes[0], inodes[2]);
    }

    [Fact]
    public void An_initrd_of_another_kind_is_refused()
    {
        byte[] dracut = Archive(Folder("usr/sbin"), Link("init", "usr/lib/systemd/systemd"));
        Refused("initramfs-tools did not make it", dracut);
        Refused("HackTree's own boot script is in it", [.. Stock(), .. Archive(Folder("hacktree"))]);
        Refused("it has several names", Archive(Folder("sbin"), ("init", new CpioHeader { Inode = 1, Mode = 0x81ED, LinkCount = 2 }, "x"), File("scripts/functions", "")));
    }

    [Fact]
    public void Programs_that_know_nothing_of_subroot_are_refused()
    {
        string input = directory.Write("in", Stock());
        string Message(string init, string switchRoot) => Assert.Throws<InitrdException>(() => ClassicInitrd.Patch(input, input, init, switchRoot, Stop)).Message;
        Assert.Contains("no init of initramfs-tools that knows subroot=", Message(directory.Write("old", "#!/bin/sh\n"u8), switchRoot), StringComparison.Ordinal);
        Assert.Contains("no switch_root that knows --subroot", Message(init, init), StringComparison.Ordinal);

        // The program header at byte 64 names a loader.
        byte[] dynamic = [.. program[..64], .. new byte[56], .. "subroot"u8];
        dynamic[32] = 64;
        dynamic[56] = 1;
        dynamic[64] = 3;
        Assert.Contains("needs shared libraries", Message(init, directory.Write("dynamic", dynamic)), StringComparison.Ordinal);
        Assert.Equal(Stock(), System.IO.File.ReadAllBytes(input));
    }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => directory.Dispose();

    private static byte[] Stock() => Archive(Folder("sbin"), File("init", "stock"), File("scripts/functions", "f"));

    private static (string, CpioHeader, string) Folder(string name) => (name, new CpioHeader { Mode = 0x41ED, LinkCount = 2 }, "");

    private static (string, CpioHeader, string) Link(string name, string target) => (name, new CpioHeader { Mode = 0xA1FF, LinkCount = 1 }, target);

    private static (string, CpioHeader, string) File(string name, string content, uint permissions = 0x1A4) =>
        (name, new CpioHeader { Mode = 0x8000 | permissions, LinkCount = 1 }, content);

    private static byte[] Archive(params ReadOnlySpan<(string Name, CpioHeader Header, string Content)> entries)
    {
        var bytes = new MemoryStream();
        var writer = new CpioWriter(bytes);
        foreach ((string name, CpioHeader header, string content) in entries)
        {
            writer.Write(Encoding.UTF8.GetBytes(name), header, Encoding.UTF8.GetBytes(content));
        }

        writer.End();
        return bytes.ToArray();
    }

    private static byte[] Gzip(byte[] content)
    {
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(content);
        }

        return packed.ToArray();
    }

    private static List<string> Entries(string path)
    {
        using var reader = InitrdReader.Open(path, Stop);
        List<string> entries = [];
        while (reader.NextSegment())
        {
            while (reader.NextEntry())
            {
                byte[] buffer = new byte[1000];
                string content = Encoding.UTF8.GetString(reader.Header.Type == FileType.Symlink ? reader.Target : buffer.AsSpan(0, reader.ReadContent(buffer)));
                entries.Add($"{reader.Segment.Number} {reader.Segment.Compression} {Convert.ToString(reader.Header.Mode, 8)} {Encoding.UTF8.GetString(reader.Name)} {content}");
            }
        }

        return entries;
    }

    private string Patch(byte[] initrd)
    {
        string output = directory.At("out");
        ClassicInitrd.Patch(directory.Write("in", initrd), output, init, switchRoot, Stop);
        return output;
    }

    private void Refused(string message, byte[] initrd)
    {
        InitrdException refusal = Assert.Throws<InitrdException>(() => Patch(initrd));
        Assert.Contains(message, refusal.Message, StringComparison.Ordinal);
        Assert.False(System.IO.File.Exists(directory.At("out")));
    }
}
