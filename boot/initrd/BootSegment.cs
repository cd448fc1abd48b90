using System.Globalization;
using System.IO.Compression;
using System.Text;
using HackTree.Linux;

namespace HackTree.Boot;

/// <summary>A file of ours in an initramfs.</summary>
/// <param name="Path">Its path there, without a slash in front.</param>
/// <param name="Permissions">Its mode.</param>
/// <param name="Content">Its bytes.</param>
internal sealed record BootFile(string Path, uint Permissions, byte[] Content);

/// <summary>
/// The segment that `initrd patch` appends: a bare cpio archive whose first entry is the directory "hacktree" and whose second, hacktree/version, says
/// which program made it and how many zeros stand before it that the initrd did not have. So the initrd's own end is known again.
/// Always the same bytes: no times, no owners, inode numbers from 1.
/// </summary>
internal static class BootSegment
{
    internal const string Folder = "hacktree";
    internal const string VersionPath = "hacktree/version";
    internal const string BindRoPath = "hacktree/bind-ro";

    private const string PaddingWord = "padding ";

    /// <summary>Symbolic links in a Debian initramfs: to archive them as directories would hide what is there.</summary>
    private static readonly string[] NeverArchived = ["bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr"];

    /// <summary>Most zeros that ever come before it: 3 to align, 4 to end an lz4 frame.</summary>
    internal const int MaxPadding = CpioHeader.Alignment - 1 + Lz4Decoder.EndLength;

    /// <summary>All of our files but the version.</summary>
    internal static IReadOnlyList<BootFile> Files { get; } =
    [
        new BootFile(BindRoPath, FileModes.Program, BootFiles.Read("native/bind-ro")),
        .. BootFiles.Under("initramfs").Select(path => Plain(path, BootFiles.Read("initramfs/" + path))),
    ];

    /// <summary>A script is executable, anything else is not.</summary>
    internal static BootFile Plain(string path, byte[] content) => new(path, content.AsSpan().StartsWith("#!"u8) ? FileModes.Program : FileModes.PublicFile, content);

    /// <summary>The content of hacktree/version in an initramfs that was not patched but made with our files in it.</summary>
    internal static byte[] VersionText() => Encoding.ASCII.GetBytes(BootFiles.Version + "\n");

    /// <summary>The segment to put behind an initrd, after so many zeros.</summary>
    internal static byte[] Make(int padding) => MakeArchive(Encoding.ASCII.GetBytes($"{BootFiles.Version}\n{PaddingWord}{padding}\n"));

    /// <summary>The segment as a file of its own, packed with gzip.</summary>
    internal static byte[] MakePacked()
    {
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            gzip.Write(MakeArchive(VersionText()));
        }

        return packed.ToArray();
    }

    /// <summary>How many zeros before the segment are ours, as its hacktree/version has it; null where it says something that cannot be.</summary>
    internal static int? PaddingOf(ReadOnlySpan<byte> version)
    {
        string[] lines = Encoding.ASCII.GetString(version).Split('\n');
        string? line = Array.Find(lines, line => line.StartsWith(PaddingWord, StringComparison.Ordinal));
        return line == null ? 0
            : int.TryParse(line.AsSpan(PaddingWord.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int padding) && padding <= MaxPadding ? padding
            : null;
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
            writer.Write(Encoding.UTF8.GetBytes(path), new CpioHeader { Mode = (uint)FileType.Directory | FileModes.PublicDirectory, LinkCount = 2 }, []);
        }
    }

    private static void WriteFile(CpioWriter writer, BootFile file) =>
        writer.Write(Encoding.UTF8.GetBytes(file.Path), new CpioHeader { Mode = (uint)FileType.Regular | file.Permissions, LinkCount = 1 }, file.Content);
}
