using System.CommandLine;
using System.Globalization;
using HackTree.Bench.Compare;
using HackTree.Bench.Report;

namespace HackTree.Bench.Scale;

/// <summary>
/// `history`: measures commands on one small tree with more and more commits, refs and roots. What a command takes for the tree is little, so
/// what the store's size costs it is seen.
/// </summary>
internal sealed class HistoryCommand : Command
{
    private const int Directories = 10;
    private const int FilesOfEach = 10;
    private const int Roots = 100;

    private static readonly (string Label, string[] Words, bool Writes, string GrowsWith)[] Verbs =
    [
        ("commit", ["commit", "-b", "main", "tree"], true, "-"),
        ("checkout", ["checkout", "--force", "main", "new"], true, "-"),
        ("checkout --subpath", ["checkout", "--force", "--subpath", "d3", "main", "part"], true, "-"),
        ("diff", ["diff", "main~1", "main"], false, "-"),
        ("ls", ["ls", "main"], false, "-"),
        ("rev-parse", ["rev-parse", "main"], false, "-"),
        ("log -n 10", ["log", "-n", "10", "main"], false, "refs, which it shows"),
        ("show", ["show", "main"], false, "refs, which it shows"),
        ("refs", ["refs"], false, "refs"),
        ("roots", ["roots"], false, "roots"),
        ("log", ["log", "main"], false, "commits"),
        ("du", ["du"], false, "commits, refs"),
        ("fsck", ["fsck"], false, "commits, refs"),
        ("gc --dry-run", ["gc", "--dry-run"], false, "commits, refs"),
    ];

    private readonly Option<string> counts = new("--commits")
    {
        Description = "The number of commits, and of refs, at which it measures.",
        HelpName = "N,...",
        DefaultValueFactory = _ => "100,1000,10000",
    };

    private readonly Option<int> rounds = new("--rounds")
    {
        Description = "How often each command runs; medians count.",
        HelpName = "N",
        DefaultValueFactory = _ => 5,
    };

    private readonly Option<string?> program = new("--hacktree")
    {
        Description = "The hacktree to measure. Default: out/hacktree.",
        HelpName = "PATH",
    };

    private readonly Option<string?> output = new("-o", "--output")
    {
        Description = "The directory for history.json and history.md. Default: out/bench/history.",
        HelpName = "DIR",
    };

    private string hacktree = "";

    internal HistoryCommand()
        : base("history", $"Measure commands on a store with 100 to 10,000 commits of one tree, as many refs, and {Roots} roots. Needs root.")
    {
        foreach (Option option in new Option[] { counts, rounds, program, output })
        {
            Add(option);
        }

        SetAction(parse => RootRun.Run((scratch, stop) => Measure(parse, scratch, stop)));
    }

    private void Measure(ParseResult parse, string scratch, CancellationToken stop)
    {
        string folder = RootRun.OutputFolder(parse.GetValue(output), "history");
        hacktree = RootRun.HackTree(parse.GetValue(program));
        MachineFacts machine = Facts.Machine();
        var measurer = new Measurer(NativeTools.Compile(), scratch, isCold: false, stop);
        int[] points = [.. parse.GetValue(counts)!.Split(',').Select(count => int.Parse(count, CultureInfo.InvariantCulture)).Order()];
        using var filesystem = LoopFilesystem.Make("ext4", "16G", RootRun.ImageDirectory(null, 8L * 1024 * 1024 * 1024));
        Begin(filesystem.Place);
        var columns = new List<Measurement[]>();
        int made = 0;
        foreach (int point in points)
        {
            RootRun.Say($"{Figures.Count(point)} commits and refs");
            for (; made < point; made++)
            {
                stop.ThrowIfCancellationRequested();
                AddCommit(filesystem.Place, made);
            }

            columns.Add([.. Verbs.Select(verb => Median(verb.Label, verb.Words, filesystem.Place, measurer, parse.GetValue(rounds)))]);
        }

        string tree = $"A tree of {Directories * FilesOfEach} files, of which each commit changes one; as many refs as commits; {Roots} roots.";
        IEnumerable<HistoryRow> rows = Verbs.Select((verb, number) =>
            new HistoryRow(verb.Label, verb.Writes, verb.GrowsWith, [.. columns.Select(column => column[number])]));
        var results = new HistoryResults(DateTimeOffset.UtcNow, machine, Shell.Run(hacktree, "version").Split('\n')[0], tree, points, [.. rows]);
        File.WriteAllText(Path.Combine(folder, "history.json"), ResultsFile.Write(results));
        File.WriteAllText(Path.Combine(folder, "history.md"), results.AsMarkdown());
        Console.Write(results.AsMarkdown());
    }

    private void Begin(string place)
    {
        for (int directory = 0; directory < Directories; directory++)
        {
            Directory.CreateDirectory(Path.Combine(place, $"tree/d{directory}"));
            for (int file = 0; file < FilesOfEach; file++)
            {
                File.WriteAllText(Path.Combine(place, $"tree/d{directory}/f{file}"), $"{directory} {file}\n");
            }
        }

        _ = Shell.Run(hacktree, "--quiet", "init", Path.Combine(place, "objects"));
        Run(place, "commit", "-b", "main", Path.Combine(place, "tree"));
        for (int root = 0; root < Roots; root++)
        {
            Run(place, "checkout", "main", Path.Combine(place, $"r{root}"));
        }
    }

    private void AddCommit(string place, int number)
    {
        Change(place, number);
        Run(place, "commit", "-b", "main", Path.Combine(place, "tree"));
        Run(place, "refs", "set", $"old/{number % 100}/{number}", "main");
    }

    private static void Change(string place, int number) =>
        File.WriteAllText(Path.Combine(place, $"tree/d{number % Directories}/f{number / Directories % FilesOfEach}"), $"changed {number}\n");

    private void Run(string place, params string[] words) => _ = Shell.Run([hacktree, "--quiet", "--store", Path.Combine(place, "objects"), .. words]);

    private Measurement Median(string label, string[] words, string place, Measurer measurer, int rounds)
    {
        string[] arguments = [.. words.Select(word => word is "tree" or "new" or "part" ? Path.Combine(place, word) : word)];
        string[] command = [hacktree, "--quiet", "--store", Path.Combine(place, "objects"), .. arguments];
        Measurement[] runs = [.. Enumerable.Range(0, rounds).Select(round =>
        {
            // A commit of what is there already would make none.
            Change(place, (rounds * 1_000_000) + round);
            return measurer.Run(command, place, printsSeconds: false, success: [0, 3]);
        }).OrderBy(run => run.Seconds)];
        RootRun.Say($"{label,-20} {Figures.Seconds(runs[rounds / 2].Seconds),9}");
        return runs[rounds / 2];
    }
}
