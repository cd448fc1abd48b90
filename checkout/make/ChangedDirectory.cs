using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>What to do with the names in a directory.</summary>
internal enum DirectoryPlan
{
    /// <summary>The directory is untouched and stays the same. Directories below may have been touched.</summary>
    Descend,
    /// <summary>The directory is untouched and becomes another tree: the difference of the two trees is applied.</summary>
    Change,
    /// <summary>
    /// The directory was touched: the names in it are compared with those of the new tree. Its subdirectories are still those that were made.
    /// </summary>
    Repair,
    /// <summary>
    /// Nothing is known about the directory, because it may have been renamed, or is not one that was made. The same holds for its
    /// subdirectories.
    /// </summary>
    Rebuild,
}

/// <summary>What a directory needs after all directories below it are done. Each value includes the values before it.</summary>
internal enum DirectoryEnd
{
    /// <summary>Nothing.</summary>
    None,
    /// <summary>Its modification time must be set.</summary>
    Time,
    /// <summary>All its metadata must be set.</summary>
    Metadata,
}

/// <summary>
/// A directory of a root that is turned into another commit: its old tree, by the record, and its new tree. Once opened it stays open until every
/// directory below it is done, because they are opened relative to it.
/// </summary>
internal sealed class ChangedDirectory : TreeDirectory<ChangedDirectory>
{
    private ChangedDirectory(ChangedDirectory? parent, in TreeEntry after, DirectoryPlan plan)
        : base(parent, after.Name.ToArray())
    {
        Plan = plan;
        After = after.Digest;
        Metadata = after.Metadata;
        Xattrs = after.Xattrs.ToArray();
    }

    /// <summary>What to do with the names in the directory.</summary>
    internal DirectoryPlan Plan { get; }

    /// <summary>The tree it was made from; none for <see cref="DirectoryPlan.Rebuild"/>.</summary>
    internal Digest Before { get; private init; }

    /// <summary>The tree it will have.</summary>
    internal Digest After { get; }

    internal FileMetadata Metadata { get; }

    internal byte[] Xattrs { get; }

    /// <summary>What it needs at the end. <see cref="Require"/> can add to it.</summary>
    internal DirectoryEnd End { get; private set; }

    internal SafeFileHandle? Handle { get; set; }

    /// <summary>A directory that both trees have under one name.</summary>
    internal static ChangedDirectory Of(ChangedDirectory? parent, in TreeEntry before, in TreeEntry after, bool isTouched)
    {
        // Renaming a directory touches it and the directory above.
        if (isTouched && parent is { Plan: DirectoryPlan.Repair or DirectoryPlan.Rebuild })
        {
            return Unknown(parent, after);
        }

        bool hasOtherMetadata = before.Metadata with { ModifyTime = after.Metadata.ModifyTime } != after.Metadata
            || !before.Xattrs.SequenceEqual(after.Xattrs);
        return new ChangedDirectory(
            parent,
            after,
            isTouched ? DirectoryPlan.Repair : before.Digest != after.Digest ? DirectoryPlan.Change : DirectoryPlan.Descend)
        {
            Before = before.Digest,
            End = isTouched || hasOtherMetadata ? DirectoryEnd.Metadata
                : before.Metadata.ModifyTime != after.Metadata.ModifyTime ? DirectoryEnd.Time
                : DirectoryEnd.None,
        };
    }

    /// <summary>An existing directory about which nothing is known.</summary>
    internal static ChangedDirectory Unknown(ChangedDirectory parent, in TreeEntry after) =>
        new(parent, after, DirectoryPlan.Rebuild) { End = DirectoryEnd.Metadata };

    /// <summary>Demands at least this at the end.</summary>
    internal void Require(DirectoryEnd end) => End = end > End ? end : End;
}
