using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>
/// An entry of a <see cref="LayeredTree"/>. A directory that has no entry of its own in any layer belongs to root and has mode 0755. The entries of
/// a stored directory are read when they are needed.
/// </summary>
internal sealed class TreeNode(byte[] name)
{
    private static readonly FileMetadata ImpliedDirectory = new(FileModes.PublicDirectory, 0, 0, 0);

    private Dictionary<byte[], TreeNode>? entries;
    private bool isUnread;

    internal byte[] Name => name;

    internal EntryKind Kind { get; set; } = EntryKind.Directory;

    internal FileMetadata Metadata { get; set; } = ImpliedDirectory;

    internal byte[] Xattrs { get; set; } = [];

    internal byte[] Target { get; set; } = [];

    internal long Size { get; set; }

    /// <summary>Of a file, the blob. Of a directory, the tree, unless <see cref="IsChanged"/>.</summary>
    internal Digest Digest { get; set; }

    internal uint DeviceMajor { get; set; }

    internal uint DeviceMinor { get; set; }

    /// <summary>The layer that gave the entry itself; 0 for none, and for what is stored.</summary>
    internal int Layer { get; set; }

    /// <summary>The newest layer that gave the entry or something below it.</summary>
    internal int NewestBelow { get; set; }

    /// <summary>Of a directory: whether its entries changed since <see cref="Digest"/> was computed.</summary>
    internal bool IsChanged { get; set; } = true;

    /// <summary>Of a directory: the entries below it that are no directories, and their bytes. Negative if nobody counted them yet.</summary>
    internal (long Files, long ContentBytes) Totals { get; set; } = (-1, -1);

    /// <summary>The node of a stored entry.</summary>
    internal static TreeNode Of(in TreeEntry entry)
    {
        var node = new TreeNode(entry.Name.ToArray());
        node.TakeFrom(entry);
        return node;
    }

    /// <summary>The entries of a directory.</summary>
    internal IReadOnlyCollection<TreeNode> Entries(Packs packs)
    {
        Read(packs);
        return entries is null ? [] : entries.Values;
    }

    internal TreeNode? Find(Packs packs, ReadOnlySpan<byte> entryName)
    {
        Read(packs);
        return entries is not null && entries.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(entryName, out TreeNode? found) ? found : null;
    }

    internal TreeNode Add(TreeNode node)
    {
        entries ??= new Dictionary<byte[], TreeNode>(ByteComparer.Instance);
        entries.Add(node.Name, node);
        return node;
    }

    internal void Remove(TreeNode node) => entries!.Remove(node.Name);

    /// <summary>Drops all entries of a directory.</summary>
    internal void Clear()
    {
        entries = null;
        isUnread = false;
        IsChanged = true;
    }

    /// <summary>Makes an implied directory of the node; what is below it stays.</summary>
    internal void Imply()
    {
        Metadata = ImpliedDirectory;
        Xattrs = [];
        Layer = 0;
    }

    /// <summary>Makes this node the same file as another node, under its own name.</summary>
    internal void TakeFrom(TreeNode other) => TakeFrom(other.AsEntry());

    /// <summary>Makes this node a stored entry, under its own name. The entries of a directory are those of the stored tree.</summary>
    internal void TakeFrom(in TreeEntry entry)
    {
        TakeMetadata(entry);
        Kind = entry.Kind;
        Target = entry.Target.ToArray();
        Size = entry.Size;
        Digest = entry.Digest;
        DeviceMajor = entry.DeviceMajor;
        DeviceMinor = entry.DeviceMinor;
        entries = null;
        isUnread = entry.IsDirectory;
        IsChanged = false;
        Totals = (-1, -1);
    }

    /// <summary>Takes over only what an entry says of the directory itself.</summary>
    internal void TakeMetadata(in TreeEntry entry)
    {
        Metadata = entry.Metadata;
        Xattrs = entry.Xattrs.ToArray();
    }

    internal TreeEntry AsEntry() => new()
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

    private void Read(Packs packs)
    {
        if (!isUnread)
        {
            return;
        }

        isUnread = false;
        for (var cursor = new TreeCursor(packs.ReadTree(Digest)); cursor.Next(out TreeEntry entry);)
        {
            Add(Of(entry));
        }
    }
}
