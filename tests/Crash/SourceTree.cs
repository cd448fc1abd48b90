using System.Globalization;
using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>Random trees small enough to commit in a moment, with something of each kind.</summary>
internal static class SourceTree
{
    /// <summary>Makes a tree of some 150 files, 6 MB, whose content the seed decides; answers its snapshot.</summary>
    public static SortedDictionary<string, string> Make(string path, int seed)
    {
        Tools.Run("rm", "-rf", path).Succeeded();
        var random = new Random(seed);
        Directory.CreateDirectory(path);
        var directories = new List<string> { path };
        for (int i = 0; i < 15; i++)
        {
            directories.Add(Path.Combine(directories[random.Next(directories.Count)], $"d{i}"));
            Directory.CreateDirectory(directories[^1]);
        }

        for (int i = 0; i < 130; i++)
        {
            int size = i % 10 == 0 ? 0 : random.Next(1, 12_000);
            WriteFile(Path.Combine(directories[random.Next(directories.Count)], $"f{i}"), size, random);
        }

        // Large ones take another way than small ones, and files with holes another still.
        WriteFile(Path.Combine(path, "large0"), 3 << 20, random);
        WriteFile(Path.Combine(directories[3], "large1"), 1_200_000, random);
        using (FileStream sparse = File.Create(Path.Combine(path, "sparse")))
        {
            sparse.SetLength(2 << 20);
            sparse.Position = 1 << 20;
            sparse.WriteByte((byte)seed);
        }

        for (int i = 0; i < 10; i++)
        {
            File.CreateSymbolicLink(Path.Combine(directories[random.Next(directories.Count)], $"l{i}"), $"../f{i}");
        }

        if (Sys.IsRoot)
        {
            Tools.Run("chmod", "4500", Path.Combine(path, "large0")).Succeeded();
            Tools.Run("chown", "7:8", Path.Combine(directories[3], "large1")).Succeeded();
            Tools.Run("mkfifo", Path.Combine(path, "fifo")).Succeeded();
        }

        return Snapshot.Of(path);
    }

    private static void WriteFile(string path, int size, Random random)
    {
        byte[] content = new byte[size];
        random.NextBytes(content);
        File.WriteAllBytes(path, content);
        File.SetLastWriteTimeUtc(path, DateTime.Parse("2020-01-01", CultureInfo.InvariantCulture).AddSeconds(random.Next(1_000_000)));
    }
}
