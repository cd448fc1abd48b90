using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// A directory being imported. It stays open until every directory below it is done, because they are opened from it;
/// it is done when its own entries are read and the last of them has reported.
/// </summary>
internal sealed class ImportDirectory(ImportDirectory? parent, byte[] name, SafeFileHandle? handle)
{
    private readonly TreeBuilder builder = new();
    private SafeFileHandle? handle = handle;
    private int unfinished = 1;

    public ImportDirectory? Parent => parent;

    /// <summary>The tree it was checked out from, where it is part of a root; none elsewhere.</summary>
    public Digest CheckedOut { get; init; }

    public SafeFileHandle Handle => handle!;

    public FileMetadata Metadata { get; set; }

    public byte[] Xattrs { get; set; } = [];

    /// <summary>The digest of its tree, once that is built.</summary>
    public Digest Digest { get; set; }

    /// <summary>Its path below the tree, for people.</summary>
    public string Path => ByteText.Quote(PathOf(default));

    /// <summary>The path below the tree of an entry, or of the directory itself where the name is empty.</summary>
    public byte[] PathOf(ReadOnlySpan<byte> entryName)
    {
        int length = entryName.Length;
        for (ImportDirectory? d = this; d?.Parent is not null; d = d.Parent)
        {
            length += d.Name.Length + (length > 0 ? 1 : 0);
        }

        byte[] path = new byte[length];
        entryName.CopyTo(path.AsSpan(length - entryName.Length));
        int end = length - entryName.Length;
        for (ImportDirectory? d = this; d?.Parent is not null; d = d.Parent)
        {
            if (end < length)
            {
                path[--end] = (byte)'/';
            }

            d.Name.CopyTo(path, end -= d.Name.Length);
        }

        return path;
    }

    /// <summary>Opens it from its parent; the root comes open.</summary>
    public void Open(string subject)
    {
        if (handle is null)
        {
            Sys.Open(parent!.Handle, name, OpenFlags.ReadOnly | OpenFlags.Directory | OpenFlags.NoFollow, out handle).ThrowIfFailed("openat", subject);
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
        new() { Kind = EntryKind.Directory, Name = name, Metadata = Metadata, Xattrs = Xattrs, Digest = Digest };

    /// <summary>Counts a directory below that must finish first.</summary>
    public void Expect(ImportDirectory child)
    {
        System.Diagnostics.Debug.Assert(child.Parent == this, "a directory waits only for those in it");
        Interlocked.Increment(ref unfinished);
    }

    /// <summary>Says that its own entries, or one of the directories below, are done; answers whether that was the last.</summary>
    public bool FinishOne() => Interlocked.Decrement(ref unfinished) == 0;

    /// <summary>The tree; closes the directory.</summary>
    public Tree Build()
    {
        if (parent is not null)
        {
            handle?.Dispose();
        }

        return builder.Build();
    }

    private byte[] Name => name;
}
