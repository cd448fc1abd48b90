namespace HackTree.Bench.Report;

/// <summary>A task that several programs can do.</summary>
/// <param name="Id">The value for --only, and the name of the work's chart.</param>
/// <param name="Title">The work's name for people.</param>
/// <param name="Writes">Whether the result must be durable, so that the time to sync it counts.</param>
/// <param name="Floor">What the floor does; empty if there is no floor.</param>
internal sealed record Work(string Id, string Title, bool Writes, string Floor)
{
    /// <summary>Whether it is done over a network.</summary>
    internal bool IsRemote => Id is Pull or PullUpdate;

    /// <summary>For a work on the tree with extended attributes: the id of the same work on the tree as it is. Otherwise null.</summary>
    internal string? Without { get; private init; }

    internal const string First = "first";
    internal const string Recommit = "recommit";
    internal const string RecommitRoot = "recommit-root";
    internal const string Checkout = "checkout";
    internal const string Advance = "advance";
    internal const string Gc = "gc";
    internal const string Fsck = "fsck";
    internal const string Diff = "diff";
    internal const string Du = "du";
    internal const string Ls = "ls";
    internal const string Pull = "pull";
    internal const string PullUpdate = "pull-update";

    /// <summary>The works on the tree as it is.</summary>
    internal static readonly IReadOnlyList<Work> Plain =
    [
        new(First, "First commit", true, "the bare open, read, SHA-256, and for each new content O_TMPFILE, write, linkat"),
        new(Recommit, "Commit again, nothing changed", true, "find -printf of the tree"),
        new(RecommitRoot, "Commit an unchanged checkout", true, "find -printf of a root"),
        new(Checkout, "Checkout by hardlinks (or the nearest thing)", true, "the bare mkdirat, linkat, symlinkat calls"),
        new(Advance, "Turn an old checkout into a commit with 1 % changed", true, "a stat for each directory, unlinkat and linkat for each change"),
        new(Gc, "Collect garbage, nothing to free", false, "find of the store's objects"),
        new(Fsck, "Check everything", false, "SHA-256 of every object, on every core"),
        new(Diff, "Compare two commits, 1 % changed", false, ""),
        new(Du, "Say where space goes", false, ""),
        new(Ls, "List a commit", false, ""),
        new(Pull, "Pull a commit over HTTP, into an empty store", true, ""),
        new(PullUpdate, "Pull the next commit, 1 % changed", true, ""),
    ];

    /// <summary>The works on a copy of the tree where every file and directory has extended attributes.</summary>
    internal static readonly IReadOnlyList<Work> WithXattrs =
        [.. Plain.Where(work => work.Id is First or Recommit or RecommitRoot or Checkout or Advance).Select(OnXattrs)];

    internal static readonly IReadOnlyList<Work> All = [.. Plain, .. WithXattrs];

    internal static Work Find(string id) => All.Single(work => work.Id == id);

    private static Work OnXattrs(Work work) =>
        new($"{work.Id}-xattrs", $"{work.Title}; with extended attributes", work.Writes, "") { Without = work.Id };
}
