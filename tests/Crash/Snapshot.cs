using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using HackTree.Linux;

namespace HackTree.Tests.Crash;

/// <summary>A directory as text, one line for each path in it: type, mode, owner, time, content.</summary>
internal static class Snapshot
{
    public static SortedDictionary<string, string> Of(string directory)
    {
        var lines = new SortedDictionary<string, string>(StringComparer.Ordinal);
        Add(lines, directory, "");
        return lines;
    }

    public static void AssertSame(SortedDictionary<string, string> expected, SortedDictionary<string, string> actual)
    {
        string difference = string.Join("\n", expected.Except(actual).Select(pair => $"- {pair}").Concat(actual.Except(expected).Select(pair => $"+ {pair}")).Take(20));
        Assert.True(difference.Length == 0, difference);
    }

    private static void Add(SortedDictionary<string, string> lines, string path, string name)
    {
        Sys.Stat(Sys.WorkingDirectory, Encoding.UTF8.GetBytes(path), out FileStatus status).ThrowIfFailed("statx", path);
        string content = status.Type switch
        {
            FileType.Regular => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)))[..16],
            FileType.Symlink => new FileInfo(path).LinkTarget!,
            _ => "",
        };
        string mode = Convert.ToString(status.Mode, 8);
        string line = string.Create(CultureInfo.InvariantCulture, $"{status.Type} {mode} {status.Uid}:{status.Gid} {status.ModifyTime.Seconds} {content}");
        lines.Add(name, line);
        if (status.Type == FileType.Directory)
        {
            foreach (string entry in Directory.GetFileSystemEntries(path))
            {
                Add(lines, entry, $"{name}/{Path.GetFileName(entry)}");
            }
        }
    }
}
