namespace HackTree.Bench.Peers;

/// <summary>The trees, programs and filesystem that a contestant works with in one round.</summary>
internal sealed record Arena
{
    /// <summary>The source tree. It is outside of the timed filesystem, and was read before.</summary>
    public required string Tree { get; init; }

    /// <summary>The source tree with every 100th file rewritten. It too is outside, and was read before.</summary>
    public required string Changed { get; init; }

    /// <summary>The mount point of the fresh, empty filesystem.</summary>
    public required string Place { get; init; }

    /// <summary>The hacktree to measure.</summary>
    public required string HackTree { get; init; }

    /// <summary>The compiled bench/native/floor.c.</summary>
    public required string Floor { get; init; }

    /// <summary>The source tree without device nodes, fifos and sockets.</summary>
    public required string Plain { get; init; }

    /// <summary>The changed tree without device nodes, fifos and sockets.</summary>
    public required string PlainChanged { get; init; }

    public required int Threads { get; init; }

    /// <summary>The address at which a web server has <see cref="Place"/>; empty if nothing is done over a network.</summary>
    public string Url { get; init; } = "";

    internal string At(string name) => Path.Combine(Place, name);
}

/// <summary>One command that a contestant runs.</summary>
/// <param name="Work">The work that the time counts for; null for preparation, which is not timed.</param>
/// <param name="Label">Its name in the report.</param>
/// <param name="Command">The program and its arguments.</param>
internal sealed record Step(string? Work, string Label, params string[] Command)
{
    /// <summary>Works that cannot be done if this command fails.</summary>
    public IReadOnlyList<string> NeededFor { get; init; } = [];

    /// <summary>Whether the command itself prints its seconds, because it first prepares something untimed.</summary>
    public bool IsSelfTimed { get; init; }

    /// <summary>Exit codes that mean success. A diff that found differences, for example, was successful.</summary>
    public IReadOnlyList<int> Success { get; init; } = [0];

    internal static Step Prepare(IReadOnlyList<string> neededFor, params string[] command) => new(null, "", command) { NeededFor = neededFor };

    internal bool IsWanted(IReadOnlySet<string> works) => (Work is not null && works.Contains(Work)) || NeededFor.Any(works.Contains);
}

/// <summary>A program that can do some of the works.</summary>
internal abstract class Contestant
{
    /// <summary>The name for --peers.</summary>
    internal abstract string Name { get; }

    /// <summary>A command that prints the version. The program is installed if the command's first word is.</summary>
    internal abstract IReadOnlyList<string> VersionCommand { get; }

    /// <summary>
    /// One line for the report: how the program is run, what is done for it, and how durable its result is when its time ends.
    /// </summary>
    internal abstract string How { get; }

    /// <summary>Whether the program keeps extended attributes and ACLs as it is run here.</summary>
    internal virtual bool KeepsXattrs => false;

    /// <summary>The commands that it runs on its filesystem, in this order.</summary>
    internal abstract IEnumerable<Step> Steps(Arena arena);

    internal static readonly IReadOnlyList<string> PlainWorks = [.. Report.Work.Plain.Select(work => work.Id)];

    internal static IReadOnlyList<Contestant> Peers { get; } =
        [new Ostree(), new HardlinkCopy(), new Copy(), new Tar(), new Casync(), new Borg(), new Restic(), new Rsync()];
}
