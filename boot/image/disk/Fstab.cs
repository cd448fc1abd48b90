using System.Text;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>A line of an fstab (fstab(5)).</summary>
/// <param name="Number">Its number in the file, from 1.</param>
/// <param name="Source">The device, or what finds it, such as UUID=...</param>
/// <param name="Place">The mount point, without a '/' at its end; "none" for swap.</param>
/// <param name="Type">The filesystem's type.</param>
/// <param name="Options">The options.</param>
public sealed record FstabLine(int Number, string Source, string Place, string Type, IReadOnlyList<string> Options)
{
    private static readonly string[] Tags = ["UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=", "ID=", "/dev/"];

    /// <summary>What the line is for, in a sentence: the mount point, or "swap".</summary>
    public string Name => Type == "swap" ? "swap" : Place;

    /// <summary>Whether the line mounts a partition when the system starts, and the start fails without that partition.</summary>
    internal bool NeedsPartition =>
        Place != "/"
        && Tags.Any(tag => Source.StartsWith(tag, StringComparison.OrdinalIgnoreCase))
        && !Options.Any(option => option is "noauto" or "nofail")
        && !Options.Contains("bind");
}

/// <summary>Reads and changes a system's /etc/fstab.</summary>
internal static class Fstab
{
    /// <summary>The file's path below the top of a system.</summary>
    internal const string Path = "etc/fstab";

    private const int Longest = 1 << 20;

    /// <summary>
    /// The lines of the fstab of a system at <paramref name="top"/>. None if it has no such file. Links that lead out of the system are not followed.
    /// </summary>
    internal static IReadOnlyList<FstabLine> Read(string top)
    {
        using SafeFileHandle directory = OpenPath.Directory(top);
        return Parse(TextIn(directory));
    }

    /// <summary>Removes lines, by their numbers, and adds one at the end.</summary>
    internal static void Change(string top, IReadOnlySet<int> removed, string added)
    {
        using SafeFileHandle directory = OpenPath.Directory(top);
        string text = TextIn(directory).TrimEnd('\n');
        IEnumerable<string> kept = text.Length == 0 ? [] : text.Split('\n').Where((line, index) => !removed.Contains(index + 1));
        Sys.OpenBeneath(directory, "etc"u8, OpenFlags.Directory, out SafeFileHandle folder).ThrowIfFailed("openat2", $"{top}/etc");
        using (folder)
        {
            DurableFile.Write(folder, "fstab"u8, Encoding.Latin1.GetBytes(string.Join('\n', [.. kept, added, ""])), FileModes.PublicFile, $"{top}/{Path}");
        }
    }

    private static string TextIn(SafeFileHandle directory)
    {
        Errno errno = Sys.OpenBeneath(directory, ByteText.FromArgument(Path), OpenFlags.ReadOnly | OpenFlags.NonBlocking, out SafeFileHandle file);
        using (file)
        {
            if (errno != Errno.None || Sys.Stat(file, out FileStatus status) != Errno.None || status.Type != FileType.Regular)
            {
                return "";
            }

            byte[] bytes = new byte[Math.Min((long)status.Size, Longest)];
            Sys.ReadAt(file, bytes, 0, out int count).ThrowIfFailed("pread", Path);
            return Encoding.Latin1.GetString(bytes, 0, count);
        }
    }

    /// <summary>Reads lines. A line with fewer than two fields means nothing.</summary>
    internal static IReadOnlyList<FstabLine> Parse(string text)
    {
        var lines = new List<FstabLine>();
        int number = 0;
        foreach (string line in text.Split('\n'))
        {
            number++;
            string[] fields = line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length >= 2 && fields[0][0] != '#')
            {
                string place = fields[1].Length > 1 ? fields[1].TrimEnd('/') : fields[1];
                string type = fields.ElementAtOrDefault(2) ?? "auto", options = fields.ElementAtOrDefault(3) ?? "defaults";
                lines.Add(new FstabLine(number, fields[0], place.Length > 0 ? place : "/", type, options.Split(',')));
            }
        }

        return lines;
    }
}
