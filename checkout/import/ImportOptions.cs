using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>How a directory becomes a tree.</summary>
public sealed record ImportOptions
{
    /// <summary>What to leave out.</summary>
    public IReadOnlyList<PathGlob> Excludes { get; init; } = [];

    /// <summary>The directory as one that is consumed: it is read where that has put it, and its files may become objects as they are.</summary>
    public TreeConsume? Consume { get; init; }

    /// <summary>Counts files and bytes as they are done.</summary>
    public Progress? Progress { get; init; }
}

/// <summary>A tree that was read into the store: what a commit says of it.</summary>
/// <param name="Tree">Digest of the root directory's tree.</param>
/// <param name="RootMetadata">Mode, owner and time of the root directory.</param>
/// <param name="RootXattrs">Its extended attributes, canonical.</param>
/// <param name="Files">Entries that are not directories.</param>
/// <param name="ContentBytes">Sum of the regular files' sizes.</param>
/// <param name="Notes">One sentence for each kind of thing that was left out.</param>
public sealed record ImportResult(
    Digest Tree,
    FileMetadata RootMetadata,
    byte[] RootXattrs,
    long Files,
    long ContentBytes,
    IReadOnlyList<string> Notes)
{
    /// <summary>The root directory as an entry without a name.</summary>
    public TreeEntry AsEntry() =>
        new() { Kind = EntryKind.Directory, Metadata = RootMetadata, Xattrs = RootXattrs, Digest = Tree };
}
