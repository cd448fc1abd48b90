using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// A directory of a root that becomes another commit: what it was by the record, and what it is to be. Once opened it stays
/// open until every directory below it is done, because they are opened from it.
/// </summary>
internal sealed class ChangedDirectory : TreeDirectory<ChangedDirectory>
{
    private ChangedDirectory(ChangedDirectory? parent, in TreeEntry after)
        : base(parent, after.Name.ToArray())
    {
        After = after.Digest;
        Metadata = after.Metadata;
        Xattrs = after.Xattrs.ToArray();
    }

    /// <summary>The tree it was made as; none where that is not known, because it was renamed or is a stranger.</summary>
    internal Digest Before { get; private init; }

    /// <summary>The tree it is to be.</summary>
    internal Digest After { get; }

    internal FileMetadata Metadata { get; }

    internal byte[] Xattrs { get; }

    /// <summary>Whether its names or metadata were changed since it was made.</summary>
    internal bool IsTouched { get; set; }

    /// <summary>Whether its time needs setting: it is to be another, or names in it were changed.</summary>
    internal bool NeedsTime { get; set; }

    /// <summary>Whether all its metadata needs setting at the end.</summary>
    internal bool NeedsMetadata { get; set; }

    internal SafeFileHandle? Handle { get; set; }

    /// <summary>A directory that both trees have under one name.</summary>
    internal static ChangedDirectory Of(ChangedDirectory? parent, in TreeEntry before, in TreeEntry after, bool isTouched) => new(parent, after)
    {
        Before = before.Digest,
        IsTouched = isTouched,
        NeedsTime = before.Metadata.ModifyTime != after.Metadata.ModifyTime,
        NeedsMetadata = before.Metadata with { ModifyTime = after.Metadata.ModifyTime } != after.Metadata || !before.Xattrs.SequenceEqual(after.Xattrs),
    };

    /// <summary>A directory that is there and of which nothing is known.</summary>
    internal static ChangedDirectory Unknown(ChangedDirectory parent, in TreeEntry after) => new(parent, after);
}
