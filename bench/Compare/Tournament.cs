using HackTree.Bench.Peers;
using HackTree.Bench.Report;

namespace HackTree.Bench.Compare;

/// <summary>The settings of a tournament.</summary>
internal sealed record Rules
{
    public required string Kind { get; init; }
    public required string Size { get; init; }
    public required string ImageDirectory { get; init; }
    public required int Rounds { get; init; }
    public required IReadOnlySet<string> Works { get; init; }

    /// <summary>What every byte takes over the network, in each direction.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>A directory for the web server's own files.</summary>
    public string ServerFolder { get; init; } = "";

    /// <summary>The arena without its place, which is different each time.</summary>
    public required Arena Arena { get; init; }
}

/// <summary>
/// Runs rounds. In a round each contestant gets a filesystem of its own and does its works there. The order moves on by one in each round,
/// so that no contestant is always first on a cool processor or last on a full cache.
/// </summary>
internal sealed class Tournament(Rules rules, IReadOnlyList<Contestant> contestants, Measurer measurer, Action<string> say)
{
    private readonly List<Sample> samples = [];
    private readonly List<string> failures = [];

    internal IReadOnlyList<Sample> Samples => samples;

    /// <summary>Which contestant failed at what; each failure is listed once.</summary>
    internal IReadOnlyList<string> Failures => failures;

    internal void Run()
    {
        for (int round = 0; round < rules.Rounds; round++)
        {
            for (int i = 0; i < contestants.Count; i++)
            {
                RunOne(contestants[(i + round) % contestants.Count], round);
            }
        }
    }

    private void RunOne(Contestant contestant, int round)
    {
        using var filesystem = LoopFilesystem.Make(rules.Kind, rules.Size, rules.ImageDirectory);
        string folder = Path.Combine(rules.ServerFolder, $"{contestant.Name}-{round}");
        bool needsServer = Work.All.Any(work => work.IsRemote && rules.Works.Contains(work.Id));
        using WebServer? server = needsServer ? WebServer.Start(filesystem.Place, folder, rules.Delay) : null;
        var missing = new HashSet<string>();
        Arena arena = rules.Arena with { Place = filesystem.Place, Url = server?.Url ?? "" };
        foreach (Step step in contestant.Steps(arena).Where(step => step.IsWanted(rules.Works)))
        {
            if (step.Work is null ? step.NeededFor.All(missing.Contains) : missing.Contains(step.Work))
            {
                continue;
            }

            try
            {
                Measurement measured = measurer.Run(step.Command, filesystem.Place, step.IsSelfTimed, step.Success);
                Take(contestant, step, round, measured, server?.Count() ?? default);
            }
            catch (BenchException e)
            {
                missing.UnionWith(step.NeededFor);
                Fail($"{contestant.Name}: {step.Work ?? "preparation"} failed: {e.Message}");
            }
        }
    }

    private void Take(Contestant contestant, Step step, int round, Measurement measured, (long Requests, long Bytes) network)
    {
        if (step.Work is not { } work || !rules.Works.Contains(work))
        {
            return;
        }

        var sample = new Sample
        {
            Work = work,
            Contestant = contestant.Name,
            Label = step.Label,
            Round = round + 1,
            Seconds = measured.Seconds,
            SyncSeconds = measured.SyncSeconds,
            CpuSeconds = measured.CpuSeconds,
            PeakBytes = measured.PeakBytes,
            Requests = network.Requests,
            FetchedBytes = network.Bytes,
        };
        samples.Add(sample);
        string seconds = Figures.Seconds(sample.Seconds), sync = Figures.Seconds(sample.SyncSeconds);
        say($"round {sample.Round}  {work,-14} {step.Label,-40} {seconds,9}  sync {sync,9}");
    }

    private void Fail(string failure)
    {
        say(failure);
        if (!failures.Contains(failure))
        {
            failures.Add(failure);
        }
    }
}
