using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>
/// An entry of an archive, in its place in the tree. A directory that has no entry of its own belongs to root and has mode 0755.
/// </summary>
internal sealed class TarNode(byte[] name)
{
    private Dictionary<byte[], TarNode>? entries;

    internal byte[] Name => name;

    internal EntryKind Kind { get; set; } = EntryKind.Directory;

    internal FileMetadata Metadata { get; set; } = new(FileModes.PublicDirectory, 0, 0, 0);

    internal byte[] Xattrs { get; set; } = [];

    internal byte[] Target { get; set; } = [];

    internal long Size { get; set; }

    internal Digest Digest { get; set; }

    internal uint DeviceMajor { get; set; }

    internal uint DeviceMinor { get; set; }

    internal bool HasEntries => entries is { Count: > 0 };

    internal TarNode? Find(ReadOnlySpan<byte> entryName) =>
        entries is not null && entries.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(entryName, out TarNode? found) ? found : null;

    internal TarNode Add(ReadOnlySpan<byte> entryName)
    {
        var node = new TarNode(entryName.ToArray());
        entries ??= new Dictionary<byte[], TarNode>(ByteComparer.Instance);
        entries.Add(node.Name, node);
        return node;
    }

    /// <summary>Makes this node the same file as another node, under its own name.</summary>
    internal void TakeFrom(TarNode other)
    {
        Kind = other.Kind;
        Metadata = other.Metadata;
        Xattrs = other.Xattrs;
        Target = other.Target;
        Size = other.Size;
        Digest = other.Digest;
        DeviceMajor = other.DeviceMajor;
        DeviceMinor = other.DeviceMinor;
    }

    /// <summary>Builds the trees from the bottom up. It does not recurse, because an archive may nest directories to any depth.</summary>
    internal static ImportResult Build(TarNode root, Additions additions)
    {
        var directories = new List<TarNode> { root };
        for (int i = 0; i < directories.Count; i++)
        {
            directories.AddRange(directories[i].entries?.Values.Where(n => n.Kind == EntryKind.Directory) ?? []);
        }

        long files = 0, contentBytes = 0;
        for (int i = directories.Count - 1; i >= 0; i--)
        {
            var builder = new TreeBuilder();
            foreach (TarNode node in directories[i].entries?.Values ?? Enumerable.Empty<TarNode>())
            {
                if (builder.TryAdd(node.AsEntry()) is { } fault)
                {
                    throw new TarException($"{TarException.Show(node.Name)}: {fault}");
                }

                files += node.Kind == EntryKind.Directory ? 0 : 1;
                contentBytes += node.Size;
            }

            Tree tree = builder.Build();
            directories[i].Digest = Tree.DigestOf(tree.Bytes);
            if (!additions.Store.Packs.Contains(directories[i].Digest))
            {
                additions.Pack.Add(PackedKind.Tree, directories[i].Digest, tree.Bytes);
            }
        }

        return new ImportResult(root.Digest, root.Metadata, root.Xattrs, files, contentBytes, []);
    }

    private TreeEntry AsEntry() => new()
    {
        Kind = Kind,
        Name = name,
        Metadata = Metadata,
        Xattrs = Xattrs,
        Size = Size,
        Digest = Digest,
        Target = Target,
        DeviceMajor = DeviceMajor,
        DeviceMinor = DeviceMinor,
    };
}
