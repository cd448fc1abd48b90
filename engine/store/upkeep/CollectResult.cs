using HackTree.Linux;

namespace HackTree.Store;

/// <summary>gc removed nothing: something is damaged that may have named what is needed.</summary>
/// <param name="damage">What is damaged.</param>
public sealed class CollectRefusedException(CorruptException damage)
    : StoreException($"nothing was removed, for gc cannot know what is needed: {damage.Message}", damage.Remedy);

/// <summary>How gc shall run.</summary>
public sealed record CollectOptions
{
    /// <summary>Find out and tell, but change nothing.</summary>
    public bool DryRun { get; init; }

    /// <summary>How many generations of ancestors each ref keeps; null for all. What a root holds has no ancestors.</summary>
    public int? Depth { get; init; }

    /// <summary>
    /// Told each thing that goes, or would: a path below the store, or an absolute one for what stands outside. One call
    /// at a time, in no order.
    /// </summary>
    public Action<string>? OnRemove { get; init; }

    /// <summary>Counts the objects looked at.</summary>
    public Progress? Progress { get; init; }
}

/// <summary>What gc did, or would do.</summary>
public sealed record CollectResult
{
    /// <summary>Objects that stay.</summary>
    public long LiveObjects { get; internal set; }

    /// <summary>Trees that refs and roots need.</summary>
    public long LiveTrees { get; internal set; }

    /// <summary>Commits that refs and roots need.</summary>
    public long LiveCommits { get; internal set; }

    /// <summary>Objects removed.</summary>
    public long ObjectsRemoved { get; internal set; }

    /// <summary>
    /// Space on disk of the removed objects that no root had: st_blocks of inodes with one link. Where a reflinked copy
    /// shares their extents, less than that comes free.
    /// </summary>
    public long BytesFreed { get; internal set; }

    /// <summary>Of the removed objects, those whose inode lives on because a directory outside the store has it.</summary>
    public long ObjectsHeldOutside { get; internal set; }

    /// <summary>Space on disk of <see cref="ObjectsHeldOutside"/>.</summary>
    public long BytesHeldOutside { get; internal set; }

    /// <summary>Trees dropped from packs.</summary>
    public long TreesDropped { get; internal set; }

    /// <summary>Commits dropped from packs.</summary>
    public long CommitsDropped { get; internal set; }

    /// <summary>Packs of which a part went to a new pack, because the rest was dead or there were many small ones.</summary>
    public int PacksRewritten { get; internal set; }

    /// <summary>Packs of which nothing was needed.</summary>
    public int PacksRemoved { get; internal set; }

    /// <summary>Bytes by which the packs shrank; a dry run counts only those that would be removed.</summary>
    public long PackBytesFreed { get; internal set; }

    /// <summary>Temporary files and abandoned roots removed.</summary>
    public int LitterRemoved { get; internal set; }

    /// <summary>Why the first of the leftovers that stay could not be removed; null where all were.</summary>
    public LinuxException? Obstacle { get; internal set; }

    /// <summary>Records dropped of roots that are gone or were never finished.</summary>
    public int RootRecordsDropped { get; internal set; }

    /// <summary>Records completed of roots that were finished by a process which then died.</summary>
    public int RootRecordsCompleted { get; internal set; }
}
