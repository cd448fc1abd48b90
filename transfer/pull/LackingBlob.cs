using HackTree.Model;

namespace HackTree.Transfer;

/// <summary>An object that a store lacks: metadata and attributes of a blob.</summary>
/// <param name="Metadata">The metadata that the tree records.</param>
/// <param name="Xattrs">The attributes that the tree records, canonical.</param>
internal sealed record LackingObject(FileMetadata Metadata, byte[] Xattrs)
{
    internal bool IsSame(in TreeEntry entry) => Metadata == entry.Metadata && Xattrs.AsSpan().SequenceEqual(entry.Xattrs);
}

/// <summary>A blob of which a store lacks one object or more.</summary>
/// <param name="Digest">The blob's digest.</param>
/// <param name="Size">Its length in bytes; not 0.</param>
/// <param name="Path">The path of the first file with it in the tree, for messages.</param>
internal sealed record LackingBlob(Digest Digest, long Size, byte[] Path)
{
    /// <summary>The objects; at least one.</summary>
    internal List<LackingObject> Objects { get; } = [];

    /// <summary>One of the objects as an entry of a tree.</summary>
    internal TreeEntry EntryOf(LackingObject one) =>
        new() { Kind = EntryKind.Regular, Size = Size, Digest = Digest, Metadata = one.Metadata, Xattrs = one.Xattrs };
}
