using System.Text;
using HackTree.Linux;

namespace HackTree.Boot;

/// <summary>Copies what an initrd of initramfs-tools unpacks to into one archive, with files of ours in the place of those that it has.</summary>
internal sealed class ClassicRepack(InitrdReader reader, CpioWriter writer, string subject)
{
    /// <summary>A file that every initrd of initramfs-tools has, and no other.</summary>
    private const string Mark = "scripts/functions";

    private const string EarlyFolder = "kernel";

    /// <summary>Where the patched init looks for programs, the best place first.</summary>
    private static readonly string[] ProgramFolders = ["usr/sbin", "sbin", "usr/bin", "bin"];

    private static readonly string[] Replaced = ["init", .. ProgramFolders.Select(folder => $"{folder}/switch_root")];

    private readonly HashSet<string> names = [];
    private readonly HashSet<string> folders = [];
    private readonly Dictionary<(int Segment, int Archive, uint Major, uint Minor, uint Inode), uint> linked = [];
    private readonly byte[] buffer = new byte[64 * 1024];
    private uint lastInode;

    /// <summary>The directory for programs. One that is a symbolic link is not taken: a file behind it would be another one's.</summary>
    internal string ProgramFolder => ProgramFolders.FirstOrDefault(folders.Contains) ?? throw Foreign();

    /// <summary>
    /// Where those segments in front end that hold nothing but files for the kernel itself: microcode, ACPI tables. The
    /// kernel finds them only there, and only unpacked (Documentation/x86/microcode.rst).
    /// </summary>
    internal static long EarlyEnd(string path)
    {
        using var reader = InitrdReader.Open(path);
        long end = 0;
        while (reader.NextSegment() && reader.Segment.Compression == Compression.None)
        {
            bool isEarly = true;
            while (reader.NextEntry())
            {
                // dracut puts a file "early_cpio" there.
                string name = Plain(reader.Name);
                isEarly &= name is "." or EarlyFolder or "early_cpio" || name.StartsWith(EarlyFolder + "/", StringComparison.Ordinal);
            }

            if (!isEarly)
            {
                break;
            }

            end = reader.End;
        }

        return end;
    }

    /// <summary>Copies every entry behind an offset but those that are replaced.</summary>
    internal void CopyFrom(long offset)
    {
        while (reader.NextSegment())
        {
            while (reader.Segment.Offset >= offset && reader.NextEntry())
            {
                Copy(Plain(reader.Name));
            }
        }

        if (!names.Contains(Mark) || !names.Contains("init"))
        {
            throw Foreign();
        }
    }

    /// <summary>Adds a program.</summary>
    internal void Add(string name, byte[] content) => writer.Write(
        Encoding.UTF8.GetBytes(name),
        new CpioHeader { Inode = ++lastInode, Mode = (uint)FileType.Regular | FileModes.Program, LinkCount = 1 },
        content);

    /// <summary>Ends the archive.</summary>
    internal void End() => writer.End();

    private static string Plain(ReadOnlySpan<byte> name)
    {
        // Names are bytes; those that are looked for are ASCII, which Latin-1 keeps apart from all others.
        string text = Encoding.Latin1.GetString(name).TrimEnd('/');
        return text.StartsWith("./", StringComparison.Ordinal) ? text[2..] : text;
    }

    private void Copy(string name)
    {
        if (name == BootSegment.Folder)
        {
            throw new InitrdException($"{subject}: HackTree's own boot script is in it, which enters the root in its own way; take it out with `hacktree initrd unpatch`");
        }

        CpioHeader header = reader.Header;
        names.Add(name);
        if (header.Type == FileType.Directory)
        {
            folders.Add(name);
        }

        if (!Replaced.Contains(name))
        {
            writer.Write(reader.Name, header with { Inode = InodeOf(header) }, ReadContent(header));
        }
        else if (header.LinkCount > 1)
        {
            throw reader.Fault("this file is to be replaced, but it has several names");
        }
    }

    /// <summary>The entries come from several archives, whose inode numbers mean different files.</summary>
    private uint InodeOf(CpioHeader header)
    {
        if (header.LinkCount <= 1 || header.Type == FileType.Directory)
        {
            return ++lastInode;
        }

        var key = (reader.Segment.Number, reader.ArchiveNumber, header.Major, header.Minor, header.Inode);
        return linked.TryGetValue(key, out uint number) ? number : linked[key] = ++lastInode;
    }

    private ReadOnlySpan<byte> ReadContent(CpioHeader header)
    {
        if (header.Type == FileType.Symlink)
        {
            return reader.Target;
        }

        // It grows with what is there: a damaged header may promise 4 GiB.
        var content = new MemoryStream();
        while (reader.ReadContent(buffer) is var count and > 0)
        {
            content.Write(buffer, 0, count);
        }

        return content.GetBuffer().AsSpan(0, (int)content.Length);
    }

    private InitrdException Foreign() => new($"{subject}: initramfs-tools did not make it, and it is that one's init which the classic chain patches; use `hacktree initrd patch` without --classic");
}
