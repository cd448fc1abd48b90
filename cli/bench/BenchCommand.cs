using System.CommandLine;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class BenchCommand : Verb
{
    private const int DefaultRounds = 3;

    private static readonly string[] Trees = ["/usr/share/doc", "/usr/share", "/etc"];

    private readonly Argument<string?> tree = new("TREE")
    {
        Description = "The directory to work with; it is only read. Default: /usr/share/doc, /usr/share or /etc.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string> place = new("--dir")
    {
        Description = "A directory on the disk to measure, for a temporary store and its roots. Default: the current one.",
        HelpName = "DIR",
        DefaultValueFactory = _ => ".",
    };

    private readonly Option<int?> rounds;
    private readonly Option<bool> json;

    internal BenchCommand()
        : base("bench", "Time hacktree's commands on your disk.", "hacktree bench", "hacktree bench --dir /mnt/disk --rounds 5 ./rootfs")
    {
        Add(tree);
        Add(place);
        rounds = AddNumber($"The number of rounds; the median counts. Default: {DefaultRounds}.", "--rounds");
        json = AddJson();
        Details = "Needs the space of TREE once for each round, and frees it at the end. A checkout is compared with its floor (the same "
            + "system calls in a bare loop on as many threads) and with `cp -al`; all three are synced. The first round may read TREE from "
            + "its disk, the other rounds find it in memory. A line has the work, and the median, the fastest and the slowest time. If the "
            + "work does what the floor does, the last column is the median divided by the floor's median.";
        AddRule(result =>
        {
            if (result.GetValue(rounds) == 0)
            {
                result.AddError("zero rounds measure nothing; give --rounds 1 or more");
            }
        });
    }

    protected override int Run(Session session)
    {
        string source = session.Get(tree) ?? Array.Find(Trees, Directory.Exists)
            ?? throw new StoreException("none of /usr/share/doc, /usr/share and /etc exists; name a directory");
        if (!Directory.Exists(source))
        {
            throw new StoreException($"{source}: no such directory");
        }

        string directory = Path.GetFullPath(session.Get(place)!);
        if (!Directory.Exists(directory))
        {
            throw new StoreException($"{directory}: no such directory; name one on the disk to measure, with --dir");
        }

        int count = session.Get(rounds) ?? DefaultRounds;
        string scratch = Path.Combine(directory, $".hacktree-bench-{Environment.ProcessId}");
        var bench = new QuickBench(Path.GetFullPath(source), scratch, Session.Stop);
        Errno errno = Sys.MakeDirectory(Sys.WorkingDirectory, ByteText.FromArgument(scratch), FileModes.PublicDirectory);
        if (errno != Errno.None)
        {
            throw new StoreException(
                $"{directory}: nothing can be made there ({LinuxException.Describe(errno)}); "
                + "name a directory of the disk to measure, with --dir");
        }

        session.Note($"{source}, {HumanText.Count(count, "round")} in {directory}");
        try
        {
            for (int round = 1; round <= count; round++)
            {
                bench.RunRound(round);
            }
        }
        finally
        {
            TreeRemoval.Remove(Sys.WorkingDirectory, ByteText.FromArgument(scratch), scratch);
        }

        Report(session, bench.Works, source, directory, count);
        return ExitCode.Done;
    }

    protected override string Undone(Session session) => "nothing was measured, and what was made is removed";

    private void Report(Session session, IReadOnlyList<BenchWork> works, string source, string directory, int count)
    {
        TimeSpan floor = works.Single(work => work.Name == BenchWork.Floor).Median;
        if (!session.Get(json))
        {
            var listing = new Listing(
                "WORK",
                new("MEDIAN") { IsNumber = true },
                new("FASTEST") { IsNumber = true, Rank = 2 },
                new("SLOWEST") { IsNumber = true, Rank = 2 },
                new("x FLOOR") { IsNumber = true, Rank = 1 });
            foreach (BenchWork work in works)
            {
                string toFloor = work.HasFloor ? $"{work.Median / floor:0.00}" : "";
                listing.Add(work.Name, Text(work.Median), Text(work.Times.Min()), Text(work.Times.Max()), toFloor);
            }

            listing.Print();
            return;
        }

        JsonText.Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("tree", source);
            writer.WriteString("directory", directory);
            writer.WriteNumber("rounds", count);
            writer.WriteNumber("threads", Environment.ProcessorCount);
            writer.WriteStartArray("works");
            foreach (BenchWork work in works)
            {
                writer.WriteStartObject();
                writer.WriteString("work", work.Name);
                writer.WriteNumber("seconds", work.Median.TotalSeconds);
                writer.WriteNumber("fastest", work.Times.Min().TotalSeconds);
                writer.WriteNumber("slowest", work.Times.Max().TotalSeconds);
                if (work.HasFloor)
                {
                    writer.WriteNumber("toFloor", work.Median / floor);
                }

                writer.EndItem();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        });
    }

    private static string Text(TimeSpan time) =>
        time.TotalSeconds < 0.0995 ? $"{time.TotalMilliseconds:0.0} ms" : HumanText.Duration(time);
}
