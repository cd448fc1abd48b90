using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>What a user named: a root, or something in the store.</summary>
/// <param name="Root">The name of the root's record; null if it is no root.</param>
/// <param name="Thing">The thing; the commit of a root.</param>
public sealed record NamedThing(string? Root, HeldThing Thing)
{
    /// <summary>
    /// Finds what a text names: an object's name ("ab/..."), a path (any other text with a slash), a root, a commit or ref, or the digest of a tree
    /// or of a file's content. A root wins over a ref. Throws <see cref="StoreException"/> if it names nothing that the store has.
    /// </summary>
    public static NamedThing Find(ObjectStore store, string text)
    {
        if (HeldThing.FindObject(store, text) is { } named)
        {
            return new NamedThing(null, named);
        }

        if (text.Contains('/', StringComparison.Ordinal) && (PathStatus.Exists(text) || store.Refs.Find(text).IsNone))
        {
            return AtPath(store, text);
        }

        if (store.Roots.Find(text) is not null)
        {
            return OfRoot(store, store.Roots.Require(text));
        }

        // The algorithm may stand before a digest, as fsverity prints it.
        string bare = text.StartsWith("sha256:", StringComparison.Ordinal) ? text["sha256:".Length..] : text;
        return new NamedThing(null, (Digest.TryParse(bare, out Digest digest) ? HeldThing.Find(store, digest) : null)
            ?? new HeldThing.OfCommit(Revision.Resolve(store, text)));
    }

    private static NamedThing OfRoot(ObjectStore store, string name) => new(name, new HeldThing.OfCommit(store.Roots.Find(name)!.Commit));

    private static NamedThing AtPath(ObjectStore store, string text)
    {
        string path = RealPath.OfName(text);
        if (store.Roots.FindByPath(path) is not null)
        {
            return OfRoot(store, store.Roots.NameFor(path));
        }

        Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(path), out FileStatus status).ThrowIfFailed("statx", text);
        return status.Type switch
        {
            FileType.Directory when RunningRoot.RecordOf(store, path) is { } record => OfRoot(store, store.Roots.NameFor(store.Roots.AbsolutePath(record))),
            FileType.Directory => new NamedThing(null, TreeAt(store, path)),
            FileType.Regular => new NamedThing(null, ObjectAt(store, path, text)),
            _ => throw new StoreException($"{text}: neither a file nor a directory, so it is a part of the tree of its directory; name that"),
        };
    }

    private static HeldThing.OfObject ObjectAt(ObjectStore store, string path, string text)
    {
        using SafeFileHandle file = OpenPath.File(path, OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking);
        Sys.Stat(file, out FileStatus status).ThrowIfFailed("statx", text);
        return HeldThing.FindObject(store, file, status, text)
            ?? throw new StoreException($"{text}: it is no object of {store.Path}, so gc neither keeps nor removes it");
    }

    /// <summary>The tree of a directory of a root, as its commit has it.</summary>
    private static HeldThing.OfTree TreeAt(ObjectStore store, string path)
    {
        foreach ((_, RootRecord record) in store.Roots.Finished())
        {
            string root = store.Roots.AbsolutePath(record);
            if (Roots.IsBelow(path, root) && Find(store, record, path[(root.TrimEnd('/').Length + 1)..]) is { } tree)
            {
                return tree;
            }
        }

        // The running root is not at the path of its record.
        return (RunningRoot.RecordOf(store, "/") is { } running ? Find(store, running, path[1..]) : null)
            ?? throw new StoreException($"{path}: it is no directory of a root's commit, so gc neither keeps nor removes it");
    }

    private static HeldThing.OfTree? Find(ObjectStore store, RootRecord record, string path) =>
        TreeWalk.TryFind(store.Packs, store.Packs.ReadCommit(record.Commit), ByteText.FromArgument(path), out TreeEntry entry) && entry.IsDirectory
            ? new HeldThing.OfTree(entry.Digest)
            : null;
}
