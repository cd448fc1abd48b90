using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>The options of an import.</summary>
public sealed record ImportOptions
{
    /// <summary>The patterns of names and paths to leave out.</summary>
    public IReadOnlyList<PathGlob> Excludes { get; init; } = [];

    /// <summary>The patterns of extended attributes to leave out.</summary>
    public IReadOnlyList<PathGlob> XattrExcludes { get; init; } = [];

    /// <summary>Whether all extended attributes are left out.</summary>
    public bool LeavesOutAllXattrs { get; init; }

    /// <summary>
    /// Whether a time that the store's filesystem does not hold is replaced by the first or last one that it holds. If not, the entry is
    /// refused.
    /// </summary>
    public bool ClampsTimes { get; init; }

    /// <summary>The patterns of regular files that become empty files. A pattern in <see cref="Excludes"/> has precedence.</summary>
    public IReadOnlyList<PathGlob> Emptied { get; init; } = [];

    /// <summary>
    /// The consumption of the directory, if it is consumed; otherwise null. Then the directory is read at the place where the consumption
    /// has put it, and its files may become objects as they are.
    /// </summary>
    public TreeConsume? Consume { get; init; }

    /// <summary>The stored tree, if the directory is the upper directory of an overlay over that tree; otherwise null.</summary>
    public OverlayBase? Over { get; init; }

    /// <summary>Whether trees are made that a pack of the store has already, because its copy may be damaged.</summary>
    public bool MakesKnownTrees { get; init; }

    /// <summary>What the entries of a directory get in place of their owners and modes; null to keep these. An archive keeps its own.</summary>
    public MetadataChanges? Changes { get; init; }

    /// <summary>Counts files and bytes as they are done.</summary>
    public Progress? Progress { get; init; }

    /// <summary>Whether an extended attribute is left out.</summary>
    internal bool LeavesOut(ReadOnlySpan<byte> attribute)
    {
        if (LeavesOutAllXattrs || (Over is not null && OverlayBase.IsOwnAttribute(attribute)))
        {
            return true;
        }

        foreach (PathGlob glob in XattrExcludes)
        {
            if (glob.MatchesWhole(attribute))
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>The result of an import: a tree, and the facts that a commit records about it.</summary>
/// <param name="Tree">Digest of the root directory's tree.</param>
/// <param name="RootMetadata">Mode, owner and time of the root directory.</param>
/// <param name="RootXattrs">The extended attributes of the root directory, canonical.</param>
/// <param name="Files">The number of entries that are not directories.</param>
/// <param name="ContentBytes">The sum of the regular files' sizes, in bytes.</param>
/// <param name="Notes">One sentence for each kind of thing that was left out.</param>
public sealed record ImportResult(
    Digest Tree,
    FileMetadata RootMetadata,
    byte[] RootXattrs,
    long Files,
    long ContentBytes,
    IReadOnlyList<string> Notes)
{
    /// <summary>Whether a commit has the same tree.</summary>
    public bool IsTreeOf(Commit commit) =>
        commit.Tree == Tree && commit.RootMetadata == RootMetadata && commit.RootXattrs.Span.SequenceEqual(RootXattrs);

    /// <summary>A commit of the tree, with no parent and no message.</summary>
    /// <param name="time">The commit's time, in seconds since 1970.</param>
    public Commit AsCommit(long time) => new()
    {
        Time = time,
        Tree = Tree,
        RootMetadata = RootMetadata,
        RootXattrs = RootXattrs,
        Files = Files,
        ContentBytes = ContentBytes,
    };

    /// <summary>The root directory as an entry without a name.</summary>
    public TreeEntry AsEntry() =>
        new() { Kind = EntryKind.Directory, Metadata = RootMetadata, Xattrs = RootXattrs, Digest = Tree };
}
