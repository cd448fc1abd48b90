using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// A directory that is being imported. It stays open until every directory below it is done, because they are opened relative to it. It is done
/// when its own entries are read and all directories below it are done.
/// </summary>
internal sealed class ImportDirectory(ImportDirectory? parent, byte[] name, SafeFileHandle? handle)
    : TreeDirectory<ImportDirectory>(parent, name)
{
    private readonly TreeBuilder builder = new();
    private SafeFileHandle? handle = handle;

    /// <summary>The tree that the directory was checked out from, if it is part of a root; otherwise none.</summary>
    public Digest CheckedOut { get; init; }

    /// <summary>The stored tree that the directory lies over, if it is part of an overlay's upper directory; otherwise none.</summary>
    public Digest Over { get; init; }

    /// <summary>The directory's metadata in that tree, if the overlay does not show all of it; otherwise null.</summary>
    public RecordedDirectory? Recorded { get; init; }

    public SafeFileHandle Handle => handle!;

    public FileMetadata Metadata { get; set; }

    public byte[] Xattrs { get; set; } = [];

    /// <summary>The digest of the directory's tree, once the tree is built.</summary>
    public Digest Digest { get; set; }

    /// <summary>The directory's path below the imported tree, for messages.</summary>
    public string Path => ByteText.Quote(PathOf(default));

    /// <summary>Opens the directory from its parent. The top is open already.</summary>
    public void Open(object subject)
    {
        if (handle is null)
        {
            Sys.Open(Parent!.Handle, Name, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out handle)
                .ThrowIfFailed("openat", subject);
        }
    }

    /// <summary>
    /// Adds an entry. If no tree may hold it, says why; otherwise null. Thread-safe, because directories below add their entries from other
    /// threads.
    /// </summary>
    public string? TryAdd(in TreeEntry entry)
    {
        lock (builder)
        {
            return builder.TryAdd(entry);
        }
    }

    /// <summary>The directory's entry in the directory above.</summary>
    public TreeEntry AsEntry() =>
        new() { Kind = EntryKind.Directory, Name = Name, Metadata = Metadata, Xattrs = Xattrs, Digest = Digest };

    /// <summary>Builds the tree and closes the directory. Null if a name was added twice.</summary>
    public Tree? TryBuild()
    {
        if (Parent is not null)
        {
            handle?.Dispose();
        }

        return builder.TryBuild();
    }
}
