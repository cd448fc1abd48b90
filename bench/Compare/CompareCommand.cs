using System.CommandLine;
using HackTree.Bench.Peers;
using HackTree.Bench.Report;
using Spectre.Console;

namespace HackTree.Bench.Compare;

/// <summary>`compare`: runs whole commands of several programs on a tree that the user names.</summary>
internal sealed class CompareCommand : Command
{
    private static readonly string[] EveryWork = [.. Work.All.Select(work => work.Id)];

    private readonly Argument<string> tree = new("TREE") { Description = "The tree to work with. Nothing is written to it." };
    private readonly Option<string> kind = new("--fs")
    {
        Description = "The filesystem that each contestant gets afresh.",
        HelpName = "ext4|xfs|btrfs",
        DefaultValueFactory = _ => "ext4",
    };

    private readonly Option<int> rounds = new("--rounds")
    {
        Description = "The number of rounds; medians count.",
        HelpName = "N",
        DefaultValueFactory = _ => 5,
    };

    private readonly Option<string> size = new("--size")
    {
        Description = "The filesystem's size; its image is sparse.",
        HelpName = "SIZE",
        DefaultValueFactory = _ => "8G",
    };

    private readonly Option<string?> images = new("--image-dir")
    {
        Description = "The directory for images. Default: /dev/shm if it has the space, otherwise out/bench.",
        HelpName = "DIR",
    };

    private readonly Option<string?> only = new("--only")
    {
        Description = $"Only these works: {string.Join(", ", EveryWork)}.",
        HelpName = "WORK,...",
    };

    private readonly Option<string?> peers = new("--peers")
    {
        Description = $"Only these peers: {string.Join(", ", Contestant.Peers.Select(peer => peer.Name))}.",
        HelpName = "NAME,...",
    };

    private readonly Option<int> delay = new("--delay")
    {
        Description = "What every byte takes over the network of the pulls, in each direction, in milliseconds.",
        HelpName = "MS",
        DefaultValueFactory = _ => 10,
    };

    private readonly Option<string?> program = new("--hacktree")
    {
        Description = "The hacktree to measure. Default: out/hacktree.",
        HelpName = "PATH",
    };

    private readonly Option<string?> output = new("-o", "--output")
    {
        Description = "The directory for results.json and the charts. Default: out/bench/compare.",
        HelpName = "DIR",
    };

    internal CompareCommand()
        : base("compare", "Run hacktree, every installed peer and the floor by turns, each on a fresh filesystem. Needs root.")
    {
        kind.AcceptOnlyFromAmong([.. LoopFilesystem.Kinds]);
        Add(tree);
        foreach (Option option in new Option[] { kind, rounds, size, images, only, peers, delay, program, output })
        {
            Add(option);
        }

        SetAction(parse => RootRun.Run((scratch, stop) => Compete(parse, scratch, stop)));
    }

    private void Compete(ParseResult parse, string scratch, CancellationToken stop)
    {
        string source = Path.GetFullPath(parse.GetValue(tree)!).TrimEnd('/');
        string ours = RootRun.HackTree(parse.GetValue(program));
        if (!Directory.Exists(source))
        {
            throw new BenchException($"{source} is not there");
        }

        string folder = RootRun.OutputFolder(parse.GetValue(output), "compare");
        MachineFacts machine = Facts.Machine();
        NativeTools tools = NativeTools.Compile();
        var skipped = new List<string>();
        List<Contestant> contestants = Contestants(parse, ours, skipped);
        HashSet<string> works = [.. Chosen(parse.GetValue(only), EveryWork)];
        skipped.ForEach(RootRun.Say);
        RootRun.Say($"reading {source}, and making a copy with every {SourceTrees.Step}th file changed");
        SourceTrees trees = SourceTrees.Prepare(tools, source, scratch);
        long room = long.Parse(Shell.Run("numfmt", "--from=iec", parse.GetValue(size)!));
        string imageDirectory = RootRun.ImageDirectory(parse.GetValue(images), room);
        var rules = new Rules
        {
            Kind = parse.GetValue(kind)!,
            Size = parse.GetValue(size)!,
            ImageDirectory = imageDirectory,
            Rounds = parse.GetValue(rounds),
            Works = works,
            Delay = TimeSpan.FromMilliseconds(parse.GetValue(delay)),
            ServerFolder = Path.Combine(scratch, "nginx"),
            Arena = trees.ArenaFor(ours, tools),
            ArenaWithXattrs = Work.WithXattrs.Any(work => works.Contains(work.Id)) ? trees.WithXattrs(tools, scratch).ArenaFor(ours, tools) : null,
        };
        var tournament = new Tournament(rules, contestants, new Measurer(tools, scratch, isCold: false, stop), RootRun.Say);
        tournament.Run();
        Finish(folder, new Results
        {
            Date = DateTimeOffset.UtcNow,
            Machine = machine,
            Tree = Facts.Tree(tools, source, source, trees.ChangedFiles),
            Filesystem = new FilesystemFacts(rules.Kind, LoopFilesystem.MkfsVersion(rules.Kind), imageDirectory, rules.Size),
            Contestants = [.. contestants.Select(Facts.Contestant)],
            Skipped = [.. skipped, .. tournament.Failures],
            Samples = tournament.Samples,
        });
    }

    private static void Finish(string folder, Results results)
    {
        File.WriteAllText(Path.Combine(folder, "results.json"), ResultsFile.Write(results));
        WorkCharts.Draw(results, folder);
        TerminalReport.Print(results, AnsiConsole.Console);
        Console.WriteLine($"{Path.Combine(folder, "results.json")}, and a chart of each work beside it");
    }

    private List<Contestant> Contestants(ParseResult parse, string ours, List<string> skipped)
    {
        var contestants = new List<Contestant> { new HackTreeProgram(ours), new FloorProgram() };
        string[] names = Chosen(parse.GetValue(peers), [.. Contestant.Peers.Select(peer => peer.Name)]);
        foreach (Contestant peer in Contestant.Peers.Where(peer => names.Contains(peer.Name)))
        {
            if (Shell.Exists(peer.VersionCommand[0]))
            {
                contestants.Add(peer);
            }
            else
            {
                skipped.Add($"{peer.Name}: not installed");
            }
        }

        return contestants;
    }

    private static string[] Chosen(string? list, IReadOnlyList<string> known)
    {
        string[] chosen = list?.Split(',', StringSplitOptions.RemoveEmptyEntries) ?? [.. known];
        return chosen.FirstOrDefault(name => !known.Contains(name)) is { } unknown
            ? throw new BenchException($"there is no '{unknown}'; there are {string.Join(", ", known)}")
            : chosen;
    }
}
