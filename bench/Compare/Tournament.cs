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

    /// <summary>The arena whose trees have extended attributes; null if no work needs it.</summary>
    public Arena? ArenaWithXattrs { get; init; }
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
        Dictionary<string, string> plain = Chosen(Work.Plain), withXattrs = Chosen(Work.WithXattrs);
        for (int round = 0; round < rules.Rounds; round++)
        {
            for (int i = 0; i < contestants.Count; i++)
            {
                Contestant contestant = contestants[(i + round) % contestants.Count];
                RunOne(contestant, rules.Arena, plain, round);
                if (rules.ArenaWithXattrs is { } arena && contestant.KeepsXattrs)
                {
                    RunOne(contestant, arena, withXattrs, round);
                }
            }
        }
    }

    /// <summary>The chosen ones of some works: for what a contestant knows them by, the id under which the time counts.</summary>
    private Dictionary<string, string> Chosen(IReadOnlyList<Work> works) =>
        works.Where(work => rules.Works.Contains(work.Id)).ToDictionary(work => work.Without ?? work.Id, work => work.Id);

    /// <summary>Runs a contestant on a fresh filesystem.</summary>
    /// <param name="contestant">The contestant.</param>
    /// <param name="trees">The arena without its place.</param>
    /// <param name="works">The works to do (<see cref="Chosen"/>).</param>
    /// <param name="round">The number of the round, from 0.</param>
    private void RunOne(Contestant contestant, Arena trees, Dictionary<string, string> works, int round)
    {
        if (works.Count == 0)
        {
            return;
        }

        using var filesystem = LoopFilesystem.Make(rules.Kind, rules.Size, rules.ImageDirectory);
        string folder = Path.Combine(rules.ServerFolder, $"{contestant.Name}-{round}");
        bool needsServer = Work.All.Any(work => work.IsRemote && works.ContainsKey(work.Id));
        using WebServer? server = needsServer ? WebServer.Start(filesystem.Place, folder, rules.Delay) : null;
        var missing = new HashSet<string>();
        Arena arena = trees with { Place = filesystem.Place, Url = server?.Url ?? "" };
        HashSet<string> wanted = [.. works.Keys];
        foreach (Step step in contestant.Steps(arena).Where(step => step.IsWanted(wanted)))
        {
            string? work = step.Work is { } id ? works.GetValueOrDefault(id) : null;
            if (step.Work is null ? step.NeededFor.All(missing.Contains) : missing.Contains(step.Work))
            {
                continue;
            }

            try
            {
                Measurement measured = measurer.Run(step.Command, filesystem.Place, step.IsSelfTimed, step.Success);
                if (work is not null)
                {
                    Take(contestant, work, step.Label, round, measured, server?.Count() ?? default);
                }
            }
            catch (BenchException e)
            {
                missing.UnionWith(step.NeededFor);
                Fail($"{contestant.Name}: {work ?? step.Work ?? "preparation"} failed: {e.Message}");
            }
        }
    }

    private void Take(Contestant contestant, string work, string label, int round, Measurement measured, (long Requests, long Bytes) network)
    {
        var sample = new Sample
        {
            Work = work,
            Contestant = contestant.Name,
            Label = label,
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
        say($"round {sample.Round}  {work,-20} {label,-40} {seconds,9}  sync {sync,9}");
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
