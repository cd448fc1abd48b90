using System.Globalization;
using System.Text;
using HackTree.Linux;

namespace HackTree.Boot;

/// <summary>A file that HackTree adds to an initramfs.</summary>
/// <param name="Path">Its path in the initramfs, without a slash in front.</param>
/// <param name="Permissions">Its mode.</param>
/// <param name="Content">Its bytes.</param>
internal sealed record BootFile(string Path, uint Permissions, byte[] Content);

/// <summary>
/// Makes the segment that `initrd patch` appends: a cpio archive, packed as the segment before it. Its first entry is the directory "hacktree". Its second
/// entry, hacktree/version, names the program that made it, and the number of zeros that were added before it, so that the original end of the
/// initrd is known. The bytes are always the same: no times, no owners, inode numbers from 1.
/// </summary>
internal static class BootSegment
{
    internal const string Folder = "hacktree";
    internal const string VersionPath = "hacktree/version";

    private const string PaddingWord = "padding ";

    /// <summary>Symbolic links in a Debian initramfs. Archiving one as a directory would hide what it points to.</summary>
    private static readonly string[] NeverArchived = ["bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr"];

    /// <summary>The largest number of zeros before the segment: 3 to align it, 4 to end an lz4 frame.</summary>
    internal const int MaxPadding = CpioHeader.Alignment - 1 + Lz4Decoder.EndLength;

    /// <summary>All of HackTree's files except the version.</summary>
    internal static IReadOnlyList<BootFile> Files { get; } =
    [
        .. BootFiles.Under("native").Select(name => new BootFile($"{Folder}/{name}", FileModes.Program, BootFiles.Read("native/" + name))),
        .. BootFiles.Under("initramfs").Select(path => Plain(path, BootFiles.Read("initramfs/" + path))),
    ];

    /// <summary>Makes a file with a mode for its content: scripts are executable, other files are not.</summary>
    internal static BootFile Plain(string path, byte[] content) =>
        new(path, content.AsSpan().StartsWith("#!"u8) ? FileModes.Program : FileModes.PublicFile, content);

    /// <summary>
    /// The content of hacktree/version in an initramfs that was made with HackTree's files, rather than patched afterwards.
    /// </summary>
    internal static byte[] VersionText() => Encoding.ASCII.GetBytes(BootFiles.Version + "\n");

    /// <summary>The bare segment to append to an initrd, after <paramref name="padding"/> zeros.</summary>
    internal static byte[] Make(int padding) => MakeArchive(Encoding.ASCII.GetBytes($"{BootFiles.Version}\n{PaddingWord}{padding}\n"));

    /// <summary>
    /// The segment as a separate file that a boot loader puts behind any initrd: zeros, then the archive packed with gzip. A boot loader fills up
    /// the first file to a multiple of 4 bytes, and so puts 0 to 3 zeros between. A frame of lz4 in the first file ends only at 4 zeros, and the
    /// kernel skips zeros before any segment.
    /// </summary>
    internal static byte[] MakeSeparate() =>
        [.. new byte[Lz4Decoder.EndLength], .. SegmentPacking.Pack(Compression.Gzip, Make(Lz4Decoder.EndLength))];

    /// <summary>
    /// The number of zeros that were added before a segment, from its hacktree/version; null if that file gives an impossible number.
    /// </summary>
    internal static int? PaddingOf(ReadOnlySpan<byte> version)
    {
        string[] lines = Encoding.ASCII.GetString(version).Split('\n');
        string? line = Array.Find(lines, line => line.StartsWith(PaddingWord, StringComparison.Ordinal));
        if (line == null)
        {
            return 0;
        }

        ReadOnlySpan<char> digits = line.AsSpan(PaddingWord.Length);
        bool isNumber = int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int padding);
        return isNumber && padding <= MaxPadding ? padding : null;
    }

    private static byte[] MakeArchive(byte[] version)
    {
        var bytes = new MemoryStream();
        var writer = new CpioWriter(bytes);
        var made = new HashSet<string>();
        WriteDirectory(writer, Folder, made);
        WriteFile(writer, new BootFile(VersionPath, FileModes.PublicFile, version));
        foreach (BootFile file in Files)
        {
            for (int slash = file.Path.IndexOf('/', StringComparison.Ordinal); slash > 0; slash = file.Path.IndexOf('/', slash + 1))
            {
                WriteDirectory(writer, file.Path[..slash], made);
            }

            WriteFile(writer, file);
        }

        writer.End();
        return bytes.ToArray();
    }

    private static void WriteDirectory(CpioWriter writer, string path, HashSet<string> made)
    {
        if (!NeverArchived.Contains(path.Split('/')[0]) && made.Add(path))
        {
            var header = new CpioHeader { Mode = (uint)FileType.Directory | FileModes.PublicDirectory, LinkCount = 2 };
            writer.Write(Encoding.UTF8.GetBytes(path), header, []);
        }
    }

    private static void WriteFile(CpioWriter writer, BootFile file)
    {
        var header = new CpioHeader { Mode = (uint)FileType.Regular | file.Permissions, LinkCount = 1 };
        writer.Write(Encoding.UTF8.GetBytes(file.Path), header, file.Content);
    }
}
