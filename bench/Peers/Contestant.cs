namespace HackTree.Bench.Peers;

/// <summary>What a contestant works with in one round.</summary>
internal sealed record Arena
{
    /// <summary>The source, outside of the timed filesystem, read before.</summary>
    public required string Tree { get; init; }

    /// <summary>The source with every 100th file rewritten, as far away.</summary>
    public required string Changed { get; init; }

    /// <summary>The fresh filesystem, empty.</summary>
    public required string Place { get; init; }

    /// <summary>The hacktree to measure.</summary>
    public required string HackTree { get; init; }

    /// <summary>The compiled bench/native/floor.c.</summary>
    public required string Floor { get; init; }

    /// <summary>The source without device nodes, fifos and sockets.</summary>
    public required string Plain { get; init; }

    /// <summary>The changed source without them.</summary>
    public required string PlainChanged { get; init; }

    public required int Threads { get; init; }

    internal string At(string name) => Path.Combine(Place, name);
}

/// <summary>One command that a contestant runs.</summary>
/// <param name="Work">The work whose time it is; null for preparation, which is not timed.</param>
/// <param name="Label">What the report calls it.</param>
/// <param name="Command">The program and its arguments.</param>
internal sealed record Step(string? Work, string Label, params string[] Command)
{
    /// <summary>Works that cannot be done without it.</summary>
    public IReadOnlyList<string> NeededFor { get; init; } = [];

    /// <summary>Whether it prepares something untimed and prints the seconds of the rest.</summary>
    public bool IsSelfTimed { get; init; }

    /// <summary>Exit codes that mean success: a diff that found differences has done its work.</summary>
    public IReadOnlyList<int> Success { get; init; } = [0];

    internal static Step Prepare(IReadOnlyList<string> neededFor, params string[] command) => new(null, "", command) { NeededFor = neededFor };

    internal bool IsWanted(IReadOnlySet<string> works) => (Work is not null && works.Contains(Work)) || NeededFor.Any(works.Contains);
}

/// <summary>A program that can do some of the works.</summary>
internal abstract class Contestant
{
    /// <summary>For --peers.</summary>
    internal abstract string Name { get; }

    /// <summary>A command that prints the version; its first word tells whether the program is installed.</summary>
    internal abstract IReadOnlyList<string> VersionCommand { get; }

    /// <summary>One line: how it is run, what is done for it, what its time holds of durability.</summary>
    internal abstract string How { get; }

    /// <summary>All it does on its filesystem, in this order.</summary>
    internal abstract IEnumerable<Step> Steps(Arena arena);

    internal static readonly IReadOnlyList<string> EveryWork = [.. Report.Work.All.Select(work => work.Id)];

    internal static IReadOnlyList<Contestant> Peers { get; } =
        [new Ostree(), new HardlinkCopy(), new Copy(), new Tar(), new Casync(), new Borg(), new Restic(), new Rsync()];
}
