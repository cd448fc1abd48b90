using System.Globalization;
using System.Text;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Tests.Checkout;

/// <summary>Numbers at which filesystems and programs fail. To leave these tests out: -trait- speed=slow.</summary>
[Collection(LoopTests.Name)]
[Trait("speed", "slow")]
public sealed class ManyFilesTests(LoopFilesystems filesystems)
{
    private const int MaxLinks = 65000;
    private const long MostMemory = 150 * 1024;

    [Theory]
    [InlineData("ext4", 4)]
    [InlineData("btrfs", 1)]
    public void More_identical_files_than_an_inode_has_links(string kind, int roots)
    {
        const int count = 70000;
        using var place = new StorePlace(filesystems[kind]);
        MakeFiles(place.At("source"), count, i => i.ToString("x", CultureInfo.InvariantCulture), _ => "the same in all\n");
        Digest commit = place.Commit("source", out ImportResult imported);
        string stored = Assert.Single(Directory.GetFiles(place.At("objects/files"), "*", SearchOption.AllDirectories));
        for (int i = 0; i < roots; i++)
        {
            Assert.Equal(count, place.Checkout(commit, $"r{i}").Files);
            place.RequireSame(imported, $"r{i}");
            Assert.Equal(stored, Assert.Single(Directory.GetFiles(place.At("objects/files"), "*", SearchOption.AllDirectories)));
        }

        // Four roots need 280,000 names, but no more inodes than one.
        Dictionary<ulong, uint> inodes = [];
        for (int i = 0; i < roots; i++)
        {
            foreach (FileStatus status in Statuses(place.At($"r{i}")))
            {
                inodes[status.Inode] = status.LinkCount;
            }
        }

        if (kind == "ext4")
        {
            Assert.Equal(5, inodes.Count);
            Assert.InRange(inodes.Values.Max(), 2u, (uint)MaxLinks);
        }

        place.RequireSound();
        Assert.Equal(0, Collect.Run(place.Store, new CollectOptions()).ObjectsRemoved);
        place.RequireSound();
    }

    [Fact]
    public void A_directory_of_100_000_entries_with_long_names()
    {
        const int count = 100000;
        string tail = new('n', 240);
        using var place = new StorePlace(filesystems["ext4"]);
        MakeFiles(place.At("source/below"), count, i => $"{i:d6} {tail}", i => i % 1000 == 0 ? $"content {i}" : "");
        Digest commit = place.Commit("source", out ImportResult imported);
        Assert.Equal(count, imported.Files);
        place.Checkout(commit, "r0");
        Comparison.Same(place.At("source"), place.At("r0"));
        Assert.Equal(imported.Tree, place.Commit("r0", out ImportResult again).IsNone ? default : again.Tree);
        place.RequireSound();
    }

    [Fact]
    public void Peak_memory_for_200_000_files_stays_below_150_MB()
    {
        const int directories = 2000, each = 100;
        Assert.SkipUnless(File.Exists(Repository.Program), $"{Repository.Program} is not built: make build");
        Tools.Require("/usr/bin/time");
        using var place = new StorePlace(filesystems["ext4"]);
        for (int i = 0; i < directories; i++)
        {
            int directory = i;
            MakeFiles(place.At($"source/{i % 20}/{i}"), each, n => $"a file with a name {n}", n => $"{directory} {n}");
        }

        // gc would wait for this process.
        place.Store.Dispose();
        List<string> measured = [];
        Measure("commit", "commit", "-b", "many", place.At("source"));
        Measure("re-commit", "commit", "-b", "many", place.At("source"));
        Measure("checkout", "checkout", "many", place.At("r0"));
        Measure("re-commit of the root", "commit", "-b", "many", place.At("r0"));
        Measure("diff", "diff", "many", "many^");
        Measure("export", "export", "many", "--tar", place.At("archive.tar"));
        Measure("commit of the archive", "commit", "-b", "many", "--tar", place.At("archive.tar"));
        Measure("fsck", "fsck");
        Measure("gc", "gc");
        TestContext.Current.TestOutputHelper?.WriteLine($"peak memory for {directories * each} files: {string.Join(", ", measured)}");

        void Measure(string what, params string[] arguments)
        {
            string report = place.At("time");
            ToolResult result = Tools.Run("/usr/bin/time", ["-q", "-f", "%M %e", "-o", report, Repository.Program, "--store", place.At("objects"), .. arguments]);
            result.Succeeded();
            string[] figures = File.ReadAllText(report).Trim().Split(' ');
            long kilobytes = long.Parse(figures[0], CultureInfo.InvariantCulture);
            measured.Add($"{what} {kilobytes / 1024} MB in {figures[1]} s");
            Assert.True(kilobytes < MostMemory, $"{what} took {kilobytes / 1024} MB");
        }
    }

    private static void MakeFiles(string path, int count, Func<int, string> name, Func<int, string> content)
    {
        Directory.CreateDirectory(path);
        Assert.Equal(Errno.None, Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.Directory, out SafeFileHandle directory));
        using (directory)
        {
            for (int i = 0; i < count; i++)
            {
                const OpenFlags flags = OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive;
                Assert.Equal(Errno.None, Sys.Open(directory, Encoding.UTF8.GetBytes(name(i)), flags, out SafeFileHandle file, 0x1A4));
                using (file)
                {
                    Assert.Equal(Errno.None, Sys.WriteAt(file, Encoding.UTF8.GetBytes(content(i)), 0));
                    Assert.Equal(Errno.None, Sys.SetTime(file, 1600000000));
                }
            }
        }
    }

    private static IEnumerable<FileStatus> Statuses(string path)
    {
        Assert.Equal(Errno.None, Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(path), OpenFlags.Directory, out SafeFileHandle directory));
        using (directory)
        {
            var reader = new DirectoryReader();
            reader.Start(directory, path);
            while (reader.Next())
            {
                Assert.Equal(Errno.None, Sys.Stat(directory, reader.Name, out FileStatus status));
                yield return status;
            }
        }
    }
}
