using System.Globalization;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>Something in the store that gc keeps as long as a ref or root needs it.</summary>
public abstract record HeldThing
{
    private HeldThing()
    {
    }

    /// <summary>Whether an entry of a tree leads to the thing.</summary>
    internal abstract bool Is(ObjectStore store, in TreeEntry entry);

    /// <summary>A commit.</summary>
    /// <param name="Digest">Its digest.</param>
    public sealed record OfCommit(Digest Digest) : HeldThing
    {
        internal override bool Is(ObjectStore store, in TreeEntry entry) => false;
    }

    /// <summary>A tree.</summary>
    /// <param name="Digest">Its digest.</param>
    public sealed record OfTree(Digest Digest) : HeldThing
    {
        internal override bool Is(ObjectStore store, in TreeEntry entry) => entry.IsDirectory && entry.Digest == Digest;
    }

    /// <summary>An object.</summary>
    /// <param name="Name">Its name.</param>
    public sealed record OfObject(ObjectName Name) : HeldThing
    {
        internal override bool Is(ObjectStore store, in TreeEntry entry) =>
            entry.Kind == EntryKind.Regular && entry.Digest == Name.Blob && store.Blobs.NameOf(entry) == Name;
    }

    /// <summary>All objects with one content.</summary>
    /// <param name="Digest">The digest of the content.</param>
    public sealed record OfContent(Digest Digest) : HeldThing
    {
        internal override bool Is(ObjectStore store, in TreeEntry entry) => entry.Kind == EntryKind.Regular && entry.Digest == Digest;
    }

    /// <summary>The object that a file below files/ is named as, "ab/..."; null if the text is no object's name, or there is none.</summary>
    public static OfObject? FindObject(ObjectStore store, string text) =>
        text.Length > ObjectName.FanoutLength
        && text[2] == '/'
        && byte.TryParse(text.AsSpan(0, 2), NumberStyles.AllowHexSpecifier, null, out byte fan)
        && ObjectName.TryParse(fan, ByteText.FromArgument(text[ObjectName.FanoutLength..]), out ObjectName name)
        && store.Blobs.TryStat(name, out _)
            ? new OfObject(name)
            : null;

    /// <summary>The commit, tree or content with that digest; null if there is none.</summary>
    public static HeldThing? Find(ObjectStore store, Digest digest)
    {
        if (store.Packs.Contains(digest))
        {
            return store.Packs.TryReadCommit(digest, out _) ? new OfCommit(digest) : new OfTree(digest);
        }

        return ObjectsWith(store, digest).Any() ? new OfContent(digest) : null;
    }

    /// <summary>The object that an open file is, by its inode; null if it is none, or if its content was changed.</summary>
    public static OfObject? FindObject(ObjectStore store, SafeFileHandle file, in FileStatus status, string subject)
    {
        foreach (ObjectName name in ObjectsWith(store, Blobs.HashFile(file, status, subject, store.Stop)))
        {
            if (store.Blobs.SharesInode(name, status))
            {
                return new OfObject(name);
            }
        }

        return null;
    }

    private static IEnumerable<ObjectName> ObjectsWith(ObjectStore store, Digest content)
    {
        byte fan = new ObjectName(content, default, 0).Fanout;
        if (!store.Blobs.HasFan(fan))
        {
            yield break;
        }

        using SafeFileHandle directory = store.Blobs.OpenFan(fan);
        var reader = new DirectoryReader();
        reader.Start(directory, $"{store.Path}/files/{fan:x2}");
        while (reader.Next())
        {
            if (ObjectName.TryParse(fan, reader.Name, out ObjectName name) && name.Blob == content)
            {
                yield return name;
            }
        }
    }
}
