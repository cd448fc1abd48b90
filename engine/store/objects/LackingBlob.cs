using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>An object that a store lacks: metadata and attributes of a blob.</summary>
/// <param name="Metadata">The metadata that the tree records.</param>
/// <param name="Xattrs">The attributes that the tree records, canonical.</param>
public sealed record LackingObject(FileMetadata Metadata, byte[] Xattrs)
{
    /// <summary>Whether the entry of a tree is this object.</summary>
    public bool IsSame(in TreeEntry entry) => Metadata == entry.Metadata && Xattrs.AsSpan().SequenceEqual(entry.Xattrs);
}

/// <summary>A blob of which a store lacks one object or more.</summary>
/// <param name="Digest">The blob's digest.</param>
/// <param name="Size">Its length in bytes; not 0.</param>
/// <param name="Path">The path of the first file with it in the tree, for messages.</param>
public sealed record LackingBlob(Digest Digest, long Size, byte[] Path)
{
    /// <summary>The objects; at least one.</summary>
    public List<LackingObject> Objects { get; } = [];

    /// <summary>One of the objects as an entry of a tree.</summary>
    public TreeEntry EntryOf(LackingObject one) =>
        new() { Kind = EntryKind.Regular, Size = Size, Digest = Digest, Metadata = one.Metadata, Xattrs = one.Xattrs };

    /// <summary>Makes the other objects by copies of the first, which was added.</summary>
    public void AddOthers(Additions additions)
    {
        string subject = ByteText.Quote(Path);
        foreach (LackingObject other in Objects.Skip(1))
        {
            using SafeFileHandle file = additions.Store.Blobs.Open(EntryOf(Objects[0]), subject, out FileStatus status);
            additions.AddFile(file, status, other.Metadata, other.Xattrs, new byte[Blobs.BufferSize], subject, Digest);
        }
    }
}
