using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>What is done to the names in a directory.</summary>
internal enum DirectoryPlan
{
    /// <summary>The directory is as it was made and stays so. Those below may have been touched.</summary>
    Descend,
    /// <summary>The directory is as it was made and becomes another tree: the difference of the two is applied.</summary>
    Change,
    /// <summary>The directory was touched: the names that are there are compared with those that are to be. Directories in it are still those that were made.</summary>
    Repair,
    /// <summary>Nothing is known of the directory, because it may have been renamed or is a stranger: nothing is believed of those in it either.</summary>
    Rebuild,
}

/// <summary>What a directory needs once all below it is done. Each value includes those before.</summary>
internal enum DirectoryEnd
{
    /// <summary>Nothing.</summary>
    None,
    /// <summary>Its modification time.</summary>
    Time,
    /// <summary>All its metadata.</summary>
    Metadata,
}

/// <summary>
/// A directory of a root that becomes another commit: what it was by the record, and what it is to be. Once opened it stays
/// open until every directory below it is done, because they are opened from it.
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

    /// <summary>What is done to the names in it.</summary>
    internal DirectoryPlan Plan { get; }

    /// <summary>The tree it was made as; none for <see cref="DirectoryPlan.Rebuild"/>.</summary>
    internal Digest Before { get; private init; }

    /// <summary>The tree it is to be.</summary>
    internal Digest After { get; }

    internal FileMetadata Metadata { get; }

    internal byte[] Xattrs { get; }

    /// <summary>What it needs at the end. <see cref="Require"/> adds to that.</summary>
    internal DirectoryEnd End { get; private set; }

    internal SafeFileHandle? Handle { get; set; }

    /// <summary>A directory that both trees have under one name.</summary>
    internal static ChangedDirectory Of(ChangedDirectory? parent, in TreeEntry before, in TreeEntry after, bool isTouched)
    {
        // To be renamed, a directory must be touched, and so must the one above.
        if (isTouched && parent is { Plan: DirectoryPlan.Repair or DirectoryPlan.Rebuild })
        {
            return Unknown(parent, after);
        }

        bool hasOtherMetadata = before.Metadata with { ModifyTime = after.Metadata.ModifyTime } != after.Metadata || !before.Xattrs.SequenceEqual(after.Xattrs);
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

    /// <summary>A directory that is there and of which nothing is known.</summary>
    internal static ChangedDirectory Unknown(ChangedDirectory parent, in TreeEntry after) =>
        new(parent, after, DirectoryPlan.Rebuild) { End = DirectoryEnd.Metadata };

    /// <summary>Says that the directory needs at least this at the end.</summary>
    internal void Require(DirectoryEnd end) => End = end > End ? end : End;
}
