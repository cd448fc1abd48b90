using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>How an image says where the content of a file is.</summary>
public enum ImagePaths
{
    /// <summary>
    /// As composefs does: <c>/ab/&lt;62 hex&gt;</c>, by the fs-verity digest of the content. The image's digest is the one that others compute.
    /// </summary>
    Composefs,
    /// <summary>By the name of this store's object below files/. Such an image can be mounted over the store.</summary>
    Objects,
    /// <summary>In the same way. All directories on which a boot mounts something are in the image (<see cref="MountPoints"/>).</summary>
    Boot,
}

/// <summary>An image that was made.</summary>
/// <param name="Digest">Its fs-verity digest.</param>
/// <param name="Length">Its bytes.</param>
public readonly record struct ImageFacts(Digest Digest, long Length);

/// <summary>Makes the EROFS image of a commit. Files of up to 64 bytes are in the image, as composefs has them; other content is elsewhere.</summary>
public sealed class CommitImage : IImageSource
{
    private const int MostInline = 64;

    private readonly ObjectStore store;
    private readonly ImagePaths paths;
    private readonly string place;
    private readonly Commit commit;
    private readonly Tree empty = new TreeBuilder().Build();

    private CommitImage(ObjectStore store, Digest commit, ImagePaths paths)
    {
        this.store = store;
        this.paths = paths;
        place = $"a file of commit {commit}";
        this.commit = store.Packs.ReadCommit(commit);
    }

    /// <summary>
    /// Makes the image of a commit. Throws <see cref="StoreException"/> if an image cannot hold something of it, and
    /// <see cref="CorruptException"/> if something of it is missing or damaged.
    /// </summary>
    /// <param name="store">The store. Its objects must be readable.</param>
    /// <param name="commit">The commit.</param>
    /// <param name="paths">How the image says where content is.</param>
    /// <param name="receive">Gets the image piece by piece; null to know the digest only.</param>
    public static ImageFacts Make(ObjectStore store, Digest commit, ImagePaths paths, ContentWriter? receive)
    {
        long length = 0;
        var source = new CommitImage(store, commit, paths);
        Digest digest = ImageWriter.Write(
            source,
            source.commit.RootEntry(),
            piece =>
            {
                length += piece.Length;
                receive?.Invoke(piece);
            },
            store.Stop);
        return new ImageFacts(digest, length);
    }

    /// <summary>
    /// Writes the image of a commit as a file, durably, with paths of the store's objects. Only its owner may read it, because short files are in it.
    /// Throws <see cref="StoreException"/> if the file exists and is not to be replaced.
    /// </summary>
    /// <param name="store">The store.</param>
    /// <param name="commit">The commit.</param>
    /// <param name="path">The path of the file.</param>
    /// <param name="replaces">Whether an existing file is replaced.</param>
    public static ImageFacts Write(ObjectStore store, Digest commit, string path, bool replaces)
    {
        using DurableFile file = OpenPath.ToReplace(path, FileModes.PrivateFile);
        file.SetMode(FileModes.PrivateFile);
        ImageFacts image = Make(store, commit, ImagePaths.Objects, file.Append);
        try
        {
            file.Complete(replaces ? ExistingFile.Replaced : ExistingFile.Kept);
        }
        catch (LinuxException e) when (e.Errno == Errno.EEXIST)
        {
            throw new StoreException($"{path}: the file exists; give a new name, or --force to replace it");
        }

        return image;
    }

    Tree IImageSource.ReadTree(Digest digest) =>
        paths == ImagePaths.Boot && digest == commit.Tree ? WithMountPoints(store.Packs.ReadTree(digest))
        : paths == ImagePaths.Boot && digest == Tree.DigestOf(empty.Bytes) ? empty
        : store.Packs.ReadTree(digest);

    bool IImageSource.IsInline(in TreeEntry file) => file.Size <= MostInline;

    ReadOnlySpan<byte> IImageSource.ContentOf(in TreeEntry file) => store.Blobs.ReadAll(file, place);

    ReadOnlySpan<byte> IImageSource.PathOf(in TreeEntry file, Span<byte> buffer)
    {
        buffer[0] = (byte)'/';
        bool isDigest = paths == ImagePaths.Composefs;
        ObjectName name = isDigest ? new ObjectName(file.Digest, default, 0) : store.Blobs.NameOf(file);
        int length = name.Format(buffer[1..]);
        return buffer[..(1 + (isDigest ? Digest.HexLength + 1 : length))];
    }

    Digest IImageSource.VerityOf(in TreeEntry file) => file.Digest;

    private Tree WithMountPoints(Tree tree)
    {
        var builder = new TreeBuilder();
        foreach (TreeEntry entry in tree)
        {
            builder.Add(entry);
        }

        foreach ((string point, uint mode, _) in MountPoints.All)
        {
            byte[] name = ByteText.FromArgument(point);
            if (!tree.Find(name).Exists)
            {
                var metadata = new FileMetadata((ushort)mode, 0, 0, commit.RootMetadata.ModifyTime);
                builder.Add(new TreeEntry { Kind = EntryKind.Directory, Name = name, Digest = Tree.DigestOf(empty.Bytes), Metadata = metadata });
            }
        }

        return builder.Build();
    }
}
