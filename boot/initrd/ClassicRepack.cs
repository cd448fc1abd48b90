using System.Text;
using HackTree.Linux;

namespace HackTree.Boot;

/// <summary>Copies all entries of an initrd of initramfs-tools into one archive, and replaces some files with HackTree's own.</summary>
internal sealed class ClassicRepack(InitrdReader reader, CpioWriter writer, string subject)
{
    private const string EarlyFolder = "kernel";

    /// <summary>The directories where the patched init looks for programs, the best one first.</summary>
    private static readonly string[] ProgramFolders = ["usr/sbin", "sbin", "usr/bin", "bin"];

    private static readonly string[] Replaced = ["init", .. ProgramFolders.Select(folder => $"{folder}/switch_root")];

    private readonly HashSet<string> names = [];
    private readonly HashSet<string> folders = [];
    private readonly Dictionary<(int Segment, int Archive, uint Major, uint Minor, uint Inode), uint> linked = [];
    private readonly byte[] buffer = new byte[64 * 1024];
    private uint lastInode;

    /// <summary>The directory for programs. A symbolic link is not used: a program behind it would lie in another directory.</summary>
    internal string ProgramFolder => ProgramFolders.FirstOrDefault(folders.Contains) ?? throw Foreign();

    /// <summary>
    /// The end of the first segments that hold only files for the kernel itself: microcode, ACPI tables. The kernel finds them only at the start
    /// of the initrd, and only unpacked (Documentation/x86/microcode.rst).
    /// </summary>
    internal static long EarlyEnd(string path, CancellationToken stop)
    {
        using var reader = InitrdReader.Open(path, stop);
        long end = 0;
        while (reader.NextSegment() && reader.Segment.Compression == Compression.None)
        {
            bool isEarly = true;
            while (reader.NextEntry())
            {
                // dracut adds a file "early_cpio" to this segment.
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

    /// <summary>Copies every entry behind an offset, except those that are replaced.</summary>
    internal void CopyFrom(long offset)
    {
        while (reader.NextSegment())
        {
            while (reader.Segment.Offset >= offset && reader.NextEntry())
            {
                Copy(Plain(reader.Name));
            }
        }

        if (!names.Contains(InitrdMaker.ToolsMark) || !names.Contains("init"))
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
        // Names are bytes. The names to look for are ASCII, and Latin-1 keeps ASCII apart from all other bytes.
        string text = Encoding.Latin1.GetString(name).TrimEnd('/');
        return text.StartsWith("./", StringComparison.Ordinal) ? text[2..] : text;
    }

    private void Copy(string name)
    {
        if (name == BootSegment.Folder)
        {
            throw new InitrdException(
                $"{subject}: HackTree's own boot script is in it, which enters the root in its own way; "
                + "take it out with `hacktree initrd unpatch`");
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

    /// <summary>
    /// An inode number for an entry in the new archive. The entries come from several archives that use the same numbers for other files.
    /// </summary>
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

        // The memory grows with the bytes that are there, because a damaged header may claim 4 GiB.
        var content = new MemoryStream();
        while (reader.ReadContent(buffer) is var count and > 0)
        {
            content.Write(buffer, 0, count);
        }

        return content.GetBuffer().AsSpan(0, (int)content.Length);
    }

    private InitrdException Foreign() => new(
        $"{subject}: initramfs-tools did not make it, and the classic chain patches the init of initramfs-tools; "
        + "use `hacktree initrd patch` without --classic");
}
