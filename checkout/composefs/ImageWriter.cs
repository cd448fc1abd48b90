using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>
/// Writes a tree's metadata as an EROFS image, bit for bit as composefs's mkcomposefs (1.0.8) does for the same tree: the image's fs-verity
/// digest is the one that others compute. <see cref="ErofsLayout"/> draws the bytes. Not thread-safe.
/// </summary>
/// <remarks>
/// The tree is walked four times: to know all directories and which attributes are shared, to give each inode its place, to write the
/// inodes, and to write the blocks behind them. A walk goes level by level, which is the order of the inodes. Kept for each name are four
/// bytes, and 16 for each attribute while attributes are counted; trees themselves up to a limit (<see cref="ImageDirectories"/>).
/// </remarks>
internal sealed partial class ImageWriter
{
    private readonly IImageSource source;
    private readonly CancellationToken stop;
    private readonly ImageRoot root;
    private readonly ImageDirectories directories;
    private readonly InodeAttributes attributes;
    private readonly SharedAttributes shared = new();
    private uint[] nids = [];
    private int inodes;
    private long buildTime;
    private bool hasAcls;
    private bool hasWhiteouts;
    private long inodesEnd;
    private long blocks;

    private ImageWriter(IImageSource source, in TreeEntry top, CancellationToken stop)
    {
        this.source = source;
        this.stop = stop;
        root = new ImageRoot(source.ReadTree(top.Digest), top);
        directories = new ImageDirectories(source);
        attributes = new InodeAttributes(source);
    }

    /// <summary>What is done with each inode of a walk.</summary>
    /// <param name="entry">The entry. The root has no name.</param>
    /// <param name="number">The inode's number.</param>
    /// <param name="directory">The number of the directory that the entry is; -1 for others.</param>
    /// <param name="inode">The inode, with its place.</param>
    /// <param name="start">Where the inode begins.</param>
    private delegate void InodeVisitor(in TreeEntry entry, int number, int directory, in ImageInode inode, long start);

    private long BlocksStart => ErofsLayout.RoundUp(inodesEnd + shared.Size, ErofsLayout.BlockSize);

    /// <summary>
    /// Writes the image of the tree below <paramref name="top"/>, a directory's entry, and answers its fs-verity digest. Throws
    /// <see cref="StoreException"/> if an image cannot hold something of the tree.
    /// </summary>
    /// <param name="source">Where trees are read.</param>
    /// <param name="top">The root directory.</param>
    /// <param name="receive">Gets the image piece by piece.</param>
    /// <param name="stop">A request to stop.</param>
    internal static Digest Write(IImageSource source, in TreeEntry top, ContentWriter receive, CancellationToken stop)
    {
        var writer = new ImageWriter(source, top, stop);
        writer.Survey(top);
        writer.Place(top);
        return writer.WriteAll(top, receive);
    }

    /// <summary>Finds all directories, the oldest time, and the attributes that several inodes have.</summary>
    private void Survey(in TreeEntry top)
    {
        buildTime = top.Metadata.ModifyTime;
        ImageDirectory first = directories.Add(root.Tree, top.Digest, parent: 0, inode: 0);
        first.HasWhiteouts = root.HasWhiteouts;
        directories[0] = first;
        SurveyInode(top, isAdded: false, first);
        inodes = 1;
        for (int i = 0; i < directories.Count; i++)
        {
            stop.ThrowIfCancellationRequested();
            directories[i] = directories[i] with { FirstChild = inodes };
            foreach (TreeEntry entry in TreeOf(i))
            {
                ImageDirectory directory = entry.IsDirectory
                    ? directories.Add(source.ReadTree(entry.Digest), entry.Digest, i, inodes)
                    : default;
                SurveyInode(entry, IsAdded(i, entry), directory);
                inodes = inodes < int.MaxValue ? inodes + 1 : throw new StoreException("an image cannot hold more than two milliards of names");
            }
        }

        shared.Place();
    }

    private void SurveyInode(in TreeEntry entry, bool isAdded, in ImageDirectory directory)
    {
        buildTime = Math.Min(buildTime, entry.Metadata.ModifyTime);
        hasWhiteouts |= directory.HasWhiteouts;
        hasAcls |= XattrSet.Contains(entry.Xattrs, "system.posix_acl_access"u8) || XattrSet.Contains(entry.Xattrs, "system.posix_acl_default"u8);
        Take(entry, isAdded, directory, isRoot: directory.Inode == 0 && entry.IsDirectory);
        shared.Count(attributes);
    }

    private void Place(in TreeEntry top)
    {
        nids = new uint[inodes];
        inodesEnd = ErofsLayout.InodesStart;
        Walk(top, (in _, number, _, in inode, start) =>
        {
            long nid = start / ErofsLayout.SlotSize;
            nids[number] = nid <= uint.MaxValue ? (uint)nid : throw new StoreException("an image cannot hold more than 128 GiB of names");
            blocks += inode.Blocks;
            inodesEnd = ErofsLayout.RoundUp(start + inode.TotalSize, ErofsLayout.SlotSize);
        });
    }

    /// <summary>Goes through all inodes in order, and gives each its place. All walks come to the same places.</summary>
    private void Walk(in TreeEntry top, InodeVisitor visit)
    {
        long position = ErofsLayout.InodesStart;
        Visit(top, number: 0, above: -1, directory: 0, ref position, visit);
        int number = 1, directory = 1;
        for (int above = 0; above < directories.Count; above++)
        {
            stop.ThrowIfCancellationRequested();
            foreach (TreeEntry entry in TreeOf(above))
            {
                Visit(entry, number++, above, entry.IsDirectory ? directory++ : -1, ref position, visit);
            }
        }
    }

    private void Visit(in TreeEntry entry, int number, int above, int directory, ref long position, InodeVisitor visit)
    {
        ImageDirectory known = directory < 0 ? default : directories[directory];
        bool isAdded = IsAdded(above, entry);
        Take(entry, isAdded, known, isRoot: number == 0);
        ImageInode inode = default;
        string? fault = inode.Measure(entry, isAdded, known, entry.Kind == EntryKind.Regular && source.IsInline(entry), buildTime)
            ?? inode.MeasureAttributes(attributes, shared);
        if (fault is not null)
        {
            throw new StoreException($"'{ByteText.Quote(PathOf(entry, above))}': {fault}");
        }

        long start = inode.Place(position);
        visit(entry, number, directory, inode, start);
        position = start + inode.TotalSize;
    }

    private void Take(in TreeEntry entry, bool isAdded, in ImageDirectory directory, bool isRoot)
    {
        if (isAdded)
        {
            attributes.TakePlain(entry);
        }
        else
        {
            attributes.Take(entry, isRoot, directory.HasWhiteouts);
        }
    }

    private Tree TreeOf(int directory) => directory == 0 ? root.Tree : directories.Read(directory);

    private bool IsAdded(int above, in TreeEntry entry) => above == 0 && root.IsAdded(entry);

    /// <summary>The path of an entry in the directory <paramref name="above"/>, which is found by going up.</summary>
    private byte[] PathOf(in TreeEntry entry, int above)
    {
        byte[] path = entry.Name.ToArray();
        for (; above > 0; above = directories[above].Parent)
        {
            ImageDirectory directory = directories[above], parent = directories[directory.Parent];
            int number = parent.FirstChild;
            foreach (TreeEntry other in TreeOf(directory.Parent))
            {
                if (number++ == directory.Inode)
                {
                    path = [.. other.Name, (byte)'/', .. path];
                }
            }
        }

        return path.Length == 0 ? "/"u8.ToArray() : path;
    }
}
