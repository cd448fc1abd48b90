using HackTree.Linux;

namespace HackTree.Store;

/// <summary>gc removed nothing, because something is damaged that may have named live objects.</summary>
/// <param name="damage">What is damaged.</param>
public sealed class CollectRefusedException(CorruptException damage)
    : StoreException($"nothing was removed, for gc cannot know what is needed: {damage.Message}", damage.Remedy);

/// <summary>How much history some refs keep.</summary>
/// <param name="Refs">A ref, or with <c>*</c> at its end all refs that begin so.</param>
/// <param name="Depth">The number of generations of ancestors that each keeps.</param>
public sealed record RefDepth(string Refs, int Depth)
{
    /// <summary>Whether it is said of this ref.</summary>
    public bool Fits(string refName) => Refs.EndsWith('*') ? refName.StartsWith(Refs[..^1], StringComparison.Ordinal) : refName == Refs;
}

/// <summary>The options of gc.</summary>
public sealed record CollectOptions
{
    /// <summary>Whether to report what would be removed, and to change nothing.</summary>
    public bool DryRun { get; init; }

    /// <summary>
    /// The number of generations of ancestors that each ref keeps; null for all, or with <see cref="KeepSince"/> for none. A root keeps no
    /// ancestors.
    /// </summary>
    public int? Depth { get; init; }

    /// <summary>Depths of single refs, in the place of <see cref="Depth"/>. The last one that fits counts.</summary>
    public IReadOnlyList<RefDepth> DepthsOf { get; init; } = [];

    /// <summary>
    /// Seconds since 1970: a ref keeps its history as far as a commit of this time or later, even if the depth is less; null for no such rule.
    /// </summary>
    public long? KeepSince { get; init; }

    /// <summary>
    /// The names of records of roots that a dry run takes for removed. Only for a dry run: otherwise the caller removes roots before, and one that
    /// could not be removed keeps what it needs.
    /// </summary>
    public IReadOnlyCollection<string> WithoutRoots { get; init; } = [];

    /// <summary>
    /// Called for each thing that is removed, or would be, with its path: below the store, or absolute for a path outside. One call at a
    /// time, in no order.
    /// </summary>
    public Action<string>? OnRemove { get; init; }

    /// <summary>Counts the objects that were looked at.</summary>
    public Progress? Progress { get; init; }
}

/// <summary>What gc did, or would do in a dry run.</summary>
public sealed record CollectResult
{
    /// <summary>The number of objects that stay.</summary>
    public long LiveObjects { get; internal set; }

    /// <summary>The number of trees that refs and roots need.</summary>
    public long LiveTrees { get; internal set; }

    /// <summary>The number of commits that refs and roots need.</summary>
    public long LiveCommits { get; internal set; }

    /// <summary>The number of objects that were removed.</summary>
    public long ObjectsRemoved { get; internal set; }

    /// <summary>
    /// Space on disk of the removed objects that had no other name: st_blocks of inodes with one link. If a reflinked copy shares their
    /// extents, less space is freed.
    /// </summary>
    public long BytesFreed { get; internal set; }

    /// <summary>
    /// The number of removed objects whose inodes still exist, because a directory outside the store has a name of theirs.
    /// </summary>
    public long ObjectsHeldOutside { get; internal set; }

    /// <summary>Space on disk of <see cref="ObjectsHeldOutside"/>.</summary>
    public long BytesHeldOutside { get; internal set; }

    /// <summary>The number of trees that were dropped from packs.</summary>
    public long TreesDropped { get; internal set; }

    /// <summary>The number of commits that were dropped from packs.</summary>
    public long CommitsDropped { get; internal set; }

    /// <summary>The number of packs of which a part went to a new pack, because the rest was dead or there were many small packs.</summary>
    public int PacksRewritten { get; internal set; }

    /// <summary>The number of packs that were removed because nothing in them was needed.</summary>
    public int PacksRemoved { get; internal set; }

    /// <summary>Bytes by which the packs shrank, or would shrink.</summary>
    public long PackBytesFreed { get; internal set; }

    /// <summary>The number of temporary files and abandoned roots that were removed.</summary>
    public int LitterRemoved { get; internal set; }

    /// <summary>
    /// What stood in the way, in no order: a file that cannot be removed (<see cref="LinuxException"/>), or something in the store that does not
    /// belong there (<see cref="CorruptException"/>). Everything else was done. At most <see cref="MostObstacles"/> are listed.
    /// </summary>
    public IReadOnlyList<Exception> Obstacles { get; internal set; } = [];

    /// <summary>The number of obstacles.</summary>
    public long ObstacleCount { get; internal set; }

    /// <summary>The length of <see cref="Obstacles"/> at most.</summary>
    public const int MostObstacles = 20;

    /// <summary>The number of records that were deleted because their roots are gone or were never finished.</summary>
    public int RootRecordsDropped { get; internal set; }

    /// <summary>
    /// The names of roots that were images and are no longer where they were made. They may have been moved, so their commits are kept until the roots are
    /// removed (<see cref="Roots"/>).
    /// </summary>
    public IReadOnlyList<string> ImagesMissing { get; internal set; } = [];

    /// <summary>The number of records that were written for roots whose maker finished them and then ended.</summary>
    public int RootRecordsCompleted { get; internal set; }
}
