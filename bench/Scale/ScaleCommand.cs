using System.CommandLine;
using System.Globalization;
using HackTree.Bench.Compare;
using HackTree.Bench.Peers;
using HackTree.Bench.Report;

namespace HackTree.Bench.Scale;

/// <summary>`scale`: measures time and peak memory of every command on trees of more and more files.</summary>
internal sealed class ScaleCommand : Command
{
    /// <summary>The largest mean size of a file, in bytes. A million files then fit on most machines.</summary>
    private const double MeanSize = 3000;

    /// <summary>The space for each file: an object in a block of its own, and its share of inodes and journals.</summary>
    private const long RoomPerFile = 10_000;

    private readonly Option<string> counts = new("--files")
    {
        Description = "The number of files of each tree.",
        HelpName = "N,...",
        DefaultValueFactory = _ => "10000,100000,1000000",
    };

    private readonly Option<int> rounds = new("--rounds")
    {
        Description = "The number of rounds; medians count.",
        HelpName = "N",
        DefaultValueFactory = _ => 1,
    };

    private readonly Option<string> kind = new("--fs")
    {
        Description = "The filesystem.",
        HelpName = "ext4|xfs|btrfs",
        DefaultValueFactory = _ => "ext4",
    };

    private readonly Option<string> size = new("--size")
    {
        Description = "The filesystem's size; its image is sparse. ext4 has an inode for each 16 KiB.",
        HelpName = "SIZE",
        DefaultValueFactory = _ => "32G",
    };

    private readonly Option<string?> images = new("--image-dir")
    {
        Description = "The directory for the image. Default: /dev/shm if it has the space, otherwise out/bench.",
        HelpName = "DIR",
    };

    private readonly Option<string> sample = new("--sizes-from")
    {
        Description = "The tree that the files' sizes are taken from, by rank.",
        HelpName = "DIR",
        DefaultValueFactory = _ => "/usr/share",
    };

    private readonly Option<bool> cold = new("--cold")
    {
        Description = "Drop the page cache before each command, so that trees of every size start equally.",
    };

    private readonly Option<string?> program = new("--hacktree")
    {
        Description = "The hacktree to measure. Default: out/hacktree.",
        HelpName = "PATH",
    };

    private readonly Option<string?> output = new("-o", "--output")
    {
        Description = "The directory for scale.json and the charts. Default: out/bench/scale.",
        HelpName = "DIR",
    };

    internal ScaleCommand()
        : base(
            "scale",
            "Measure time and peak memory of every command on trees of 10^4 to 10^6 files. "
            + "Needs root, and for the largest tree 15 GB of disk and 10 GB for the image.")
    {
        kind.AcceptOnlyFromAmong([.. LoopFilesystem.Kinds]);
        foreach (Option option in new Option[] { counts, rounds, kind, size, images, sample, cold, program, output })
        {
            Add(option);
        }

        SetAction(parse => RootRun.Run((scratch, stop) => Measure(parse, scratch, stop)));
    }

    private void Measure(ParseResult parse, string scratch, CancellationToken stop)
    {
        string folder = RootRun.OutputFolder(parse.GetValue(output), "scale");
        MachineFacts machine = Facts.Machine();
        var hacktree = new HackTreeProgram(RootRun.HackTree(parse.GetValue(program)));
        NativeTools tools = NativeTools.Compile();
        string[] numbers = parse.GetValue(counts)!.Split(',');
        long[] files = [.. numbers.Select(count => long.Parse(count, CultureInfo.InvariantCulture)).Order()];
        string sizes = WriteSizes(parse.GetValue(sample)!, scratch);
        string imageDirectory = RootRun.ImageDirectory(parse.GetValue(images), files[^1] * RoomPerFile);
        var points = new List<ScalePoint>();
        var skipped = new List<string>();
        foreach (long count in files)
        {
            string place = Path.Combine(scratch, $"{count}");
            Directory.CreateDirectory(place);
            RootRun.Say($"making a tree of {Figures.Count(count)} files, and a copy with every {SourceTrees.Step}th changed");
            string tree = Path.Combine(place, "tree");
            _ = Shell.Run(tools.MakeTree, sizes, $"{count}", tree);
            SourceTrees trees = SourceTrees.Prepare(tools, tree, place);
            var measurer = new Measurer(tools, scratch, parse.GetValue(cold), stop);
            points.Add(MeasureOne(parse, hacktree, measurer, trees, imageDirectory, tools, skipped));
            _ = Shell.Run("rm", "-rf", place);
        }

        string filesystem = parse.GetValue(kind)!;
        Finish(folder, new ScaleResults
        {
            Date = DateTimeOffset.UtcNow,
            Machine = machine,
            Filesystem = new FilesystemFacts(filesystem, LoopFilesystem.MkfsVersion(filesystem), imageDirectory, parse.GetValue(size)!),
            HackTree = Facts.Contestant(hacktree).Version,
            IsCold = parse.GetValue(cold),
            Points = points,
            Skipped = skipped,
        });
    }

    private ScalePoint MeasureOne(
        ParseResult parse,
        HackTreeProgram hacktree,
        Measurer measurer,
        SourceTrees trees,
        string imageDirectory,
        NativeTools tools,
        List<string> skipped)
    {
        var rules = new Rules
        {
            Kind = parse.GetValue(kind)!,
            Size = parse.GetValue(size)!,
            ImageDirectory = imageDirectory,
            Rounds = parse.GetValue(rounds),
            Works = Work.All.Where(work => !work.IsRemote).Select(work => work.Id).ToHashSet(),
            Arena = trees.ArenaFor(hacktree.VersionCommand[0], tools),
        };
        var tournament = new Tournament(rules, [hacktree], measurer, RootRun.Say);
        tournament.Run();
        TreeFacts facts = Facts.Tree(tools, trees.Tree, trees.Tree, trees.ChangedFiles);
        skipped.AddRange(tournament.Failures.Select(failure => $"{Figures.Count(facts.RegularFiles)} files: {failure}"));
        Row[] rows = [.. Work.All.SelectMany(work => Summary.Rows(tournament.Samples, work))];
        return new ScalePoint(facts.RegularFiles, facts.Directories, facts.Bytes, rows);
    }

    /// <summary>
    /// Writes the sizes of a real tree's files, in order. No size is above 64 KiB. If their mean is too large, all are reduced in proportion.
    /// </summary>
    private static string WriteSizes(string sample, string scratch)
    {
        const long largest = 64 * 1024;
        string[] lines = Shell.Run("find", sample, "-xdev", "-type", "f", "-printf", "%s\n").Split('\n', StringSplitOptions.RemoveEmptyEntries);
        long[] sizes = [.. lines
            .Select(line => Math.Min(long.Parse(line, CultureInfo.InvariantCulture), largest)).Order()];
        if (sizes.Length == 0)
        {
            throw new BenchException($"{sample}: there are no files to take sizes from");
        }

        double factor = Math.Min(1, MeanSize / sizes.Average());
        string path = Path.Combine(scratch, "sizes");
        File.WriteAllLines(path, sizes.Select(size => ((long)(size * factor)).ToString(CultureInfo.InvariantCulture)));
        return path;
    }

    private static void Finish(string folder, ScaleResults results)
    {
        File.WriteAllText(Path.Combine(folder, "scale.json"), ResultsFile.Write(results));
        ScaleCharts.Draw(results, folder);
        string report = ScaleReport.Write(results);
        File.WriteAllText(Path.Combine(folder, "scale.md"), report);
        Console.Write(report);
        Console.WriteLine($"{Path.Combine(folder, "scale.json")}, the same as scale.md, and two charts beside it");
    }
}
