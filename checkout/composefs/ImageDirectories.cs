using HackTree.Model;

namespace HackTree.Checkout;

/// <summary>What is known of one directory of an image.</summary>
internal struct ImageDirectory
{
    internal Digest Tree;

    /// <summary>The number of the directory above; the root is its own.</summary>
    internal int Parent;

    /// <summary>The number of its inode, and that of the first entry's. The inodes of a directory's entries follow each other.</summary>
    internal int Inode, FirstChild;

    /// <summary>How its entries lie: whole blocks, then bytes beside the inode.</summary>
    internal int Blocks, Tail;

    internal int Subdirectories;

    /// <summary>Whether there is a device 0:0 in it, which overlayfs would take for a deletion.</summary>
    internal bool HasWhiteouts;
}

/// <summary>
/// The directories of an image, each before those in it, level by level. The first trees are kept in memory, up to
/// <see cref="KeptBytes"/>; others are read again when they are needed again.
/// </summary>
internal sealed class ImageDirectories(IImageSource source)
{
    private const int KeptBytes = 32 * 1024 * 1024;

    private readonly List<ImageDirectory> directories = [];
    private readonly List<Tree> kept = [];
    private long keptBytes;

    internal int Count => directories.Count;

    internal ImageDirectory this[int number]
    {
        get => directories[number];
        set => directories[number] = value;
    }

    /// <summary>Adds a directory; answers what is known of it.</summary>
    internal ImageDirectory Add(Tree tree, Digest digest, int parent, int inode)
    {
        var directory = new ImageDirectory { Tree = digest, Parent = parent, Inode = inode };
        Measure(tree, ref directory);
        directories.Add(directory);
        if (kept.Count == directories.Count - 1 && keptBytes < KeptBytes)
        {
            kept.Add(tree);
            keptBytes += tree.Bytes.Length;
        }

        return directory;
    }

    internal Tree Read(int number) => number < kept.Count ? kept[number] : source.ReadTree(directories[number].Tree);

    private static void Measure(Tree tree, ref ImageDirectory directory)
    {
        int used = 0;
        var entries = new DottedEntries(tree);
        while (entries.MoveNext())
        {
            int length = ErofsLayout.EntrySize + entries.Current.Name.Length;
            if (used + length > ErofsLayout.BlockSize)
            {
                directory.Blocks++;
                used = 0;
            }

            used += length;
            directory.Subdirectories += entries.Current.IsDirectory && !entries.IsDots ? 1 : 0;
            directory.HasWhiteouts |= InodeAttributes.IsWhiteout(entries.Current);
        }

        // composefs keeps no more than half a block beside an inode.
        bool isTail = used <= ErofsLayout.BlockSize / 2;
        directory.Blocks += isTail ? 0 : 1;
        directory.Tail = isTail ? used : 0;
    }
}
