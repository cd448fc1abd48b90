using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// A directory being imported. It stays open until every directory below it is done, because they are opened from it;
/// it is done when its own entries are read and the last of them has reported.
/// </summary>
internal sealed class ImportDirectory(ImportDirectory? parent, byte[] name, SafeFileHandle? handle)
    : TreeDirectory<ImportDirectory>(parent, name)
{
    private readonly TreeBuilder builder = new();
    private SafeFileHandle? handle = handle;

    /// <summary>The tree it was checked out from, where it is part of a root; none elsewhere.</summary>
    public Digest CheckedOut { get; init; }

    public SafeFileHandle Handle => handle!;

    public FileMetadata Metadata { get; set; }

    public byte[] Xattrs { get; set; } = [];

    /// <summary>The digest of its tree, once that is built.</summary>
    public Digest Digest { get; set; }

    /// <summary>Its path below the tree, for people.</summary>
    public string Path => ByteText.Quote(PathOf(default));

    /// <summary>Opens it from its parent; the root comes open.</summary>
    public void Open(object subject)
    {
        if (handle is null)
        {
            Sys.Open(Parent!.Handle, Name, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out handle).ThrowIfFailed("openat", subject);
        }
    }

    /// <summary>Adds an entry; directories below add themselves from other threads.</summary>
    public void Add(in TreeEntry entry)
    {
        lock (builder)
        {
            builder.Add(entry);
        }
    }

    /// <summary>The entry that stands for it in the directory above.</summary>
    public TreeEntry AsEntry() =>
        new() { Kind = EntryKind.Directory, Name = Name, Metadata = Metadata, Xattrs = Xattrs, Digest = Digest };

    /// <summary>The tree; closes the directory.</summary>
    public Tree Build()
    {
        if (Parent is not null)
        {
            handle?.Dispose();
        }

        return builder.Build();
    }
}
