using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>
/// A tree that is put together of layers, each laid over those before it: archives, directories and stored trees. Nothing is extracted: the tree is
/// in memory, with some 300 bytes for each entry that a layer gave. Of what is below, only directories are read that something was changed in.
/// </summary>
/// <remarks>
/// A layer that is an archive may have whiteouts (OCI image specification, "Whiteouts"). A whiteout hides what the layers below have, whatever its
/// place in the archive. What the same layer gives stays. So each node knows which layer gave it.
/// </remarks>
public sealed class LayeredTree
{
    // Two bytes of a path make a directory of some 300 bytes in memory. Without a limit, a hostile archive could fill the memory.
    private const int MostImpliedDirectories = 1_000_000;

    private readonly Additions additions;
    private int impliedDirectories;

    /// <summary>Begins with an empty directory.</summary>
    public LayeredTree(Additions additions) => this.additions = additions;

    /// <summary>Begins with a stored tree.</summary>
    public LayeredTree(Additions additions, in TreeEntry root)
        : this(additions) => Root.TakeFrom(root);

    /// <summary>The number of layers so far.</summary>
    internal int Layer { get; private set; }

    internal TreeNode Root { get; } = new([]);

    private Packs Packs => additions.Store.Packs;

    /// <summary>
    /// Lays an archive over the tree. Returns one sentence for each kind of thing that was left out. Throws as <see cref="TarImport.Run"/> does.
    /// </summary>
    /// <param name="archive">The archive, compressed or not.</param>
    /// <param name="options">What is left out.</param>
    /// <param name="hasWhiteouts">Whether names that begin with ".wh." hide what is below.</param>
    public IReadOnlyList<string> AddArchive(Stream archive, ImportOptions options, bool hasWhiteouts) =>
        Add(archive, unpacked => TarImport.AddTo(this, additions, unpacked, options, hasWhiteouts));

    /// <summary>
    /// Lays a layer of a container image over the tree. Returns the SHA-256 of the unpacked archive, all of which was read. Throws as
    /// <see cref="AddArchive"/> does.
    /// </summary>
    /// <param name="archive">The archive, compressed or not.</param>
    /// <param name="options">What is left out.</param>
    /// <param name="maxLength">The most bytes that it may have unpacked.</param>
    public Digest AddLayer(Stream archive, ImportOptions options, long maxLength) => Add(archive, unpacked =>
    {
        using var measured = new MeasuredStream(unpacked, maxLength, $"it unpacks to more than {maxLength} bytes");
        _ = TarImport.AddTo(this, additions, measured, options, hasWhiteouts: true);
        return measured.Finish(additions.Store.Stop);
    });

    /// <summary>Lays a stored directory over the tree.</summary>
    public void AddTree(in TreeEntry root)
    {
        BeginLayer();
        Root.TakeMetadata(root);
        var rest = new Stack<(TreeNode Below, Digest Tree)>();
        rest.Push((Root, root.Digest));
        while (rest.TryPop(out (TreeNode Below, Digest Tree) next))
        {
            next.Below.IsChanged = true;
            for (var cursor = new TreeCursor(Packs.ReadTree(next.Tree)); cursor.Next(out TreeEntry entry);)
            {
                if (next.Below.Find(Packs, entry.Name) is not { } node)
                {
                    next.Below.Add(TreeNode.Of(entry));
                }
                else if (node.Kind == EntryKind.Directory && entry.IsDirectory)
                {
                    node.TakeMetadata(entry);
                    rest.Push((node, entry.Digest));
                }
                else
                {
                    node.TakeFrom(entry);
                }
            }
        }
    }

    /// <summary>
    /// Makes trees of it, from the bottom up. Can be called again after more layers: only what they changed is made anew.
    /// </summary>
    public ImportResult Build()
    {
        // No recursion, because an archive may nest directories to any depth.
        List<TreeNode> directories = Root.IsChanged ? [Root] : [];
        for (int i = 0; i < directories.Count; i++)
        {
            additions.Store.Stop.ThrowIfCancellationRequested();
            directories.AddRange(directories[i].Entries(Packs).Where(n => n is { Kind: EntryKind.Directory, IsChanged: true }));
        }

        for (int i = directories.Count - 1; i >= 0; i--)
        {
            Build(directories[i]);
        }

        (long files, long contentBytes) = TotalsOf(Root);
        return new ImportResult(Root.Digest, Root.Metadata, Root.Xattrs, files, contentBytes, []);
    }

    /// <summary>Finds the node of a path; null if there is none.</summary>
    internal TreeNode? Find(ReadOnlySpan<byte> path)
    {
        TreeNode? node = Root;
        while (node is not null && TarPath.Next(ref path, out ReadOnlySpan<byte> name))
        {
            node = node.Kind == EntryKind.Directory ? node.Find(Packs, name) : null;
        }

        return node;
    }

    /// <summary>
    /// Finds the node of a path, or makes it and the directories above it. Null, with the end of a sentence that says why, if the tree cannot have it.
    /// </summary>
    internal TreeNode? FindOrMake(ReadOnlySpan<byte> path, out string fault)
    {
        fault = "";
        TreeNode node = Root;
        Note(node);
        while (TarPath.Next(ref path, out ReadOnlySpan<byte> name))
        {
            if (node.Kind != EntryKind.Directory)
            {
                fault = $"its path goes through {ByteText.Quote(node.Name)}, which is no directory";
                return null;
            }

            TreeNode? next = node.Find(Packs, name);
            if (next is null && !path.IsEmpty && ++impliedDirectories > MostImpliedDirectories)
            {
                fault = $"the archive implies more than {MostImpliedDirectories} directories that have no entry of their own";
                return null;
            }

            node = next ?? node.Add(new TreeNode(name.ToArray()));
            Note(node);
        }

        return node;
    }

    /// <summary>Whether the newest layer, or an archive without layers below it, has entries below a directory.</summary>
    internal bool HasEntries(TreeNode node) => node.Kind == EntryKind.Directory && node.Entries(Packs).Count > 0;

    /// <summary>Hides the entry of a path, as far as layers below the newest have it.</summary>
    internal void Hide(ReadOnlySpan<byte> directory, ReadOnlySpan<byte> name)
    {
        if (FindChanged(directory) is { } above && above.Find(Packs, name) is { } node)
        {
            Hide(above, node);
        }
    }

    /// <summary>Hides what layers below the newest have in a directory.</summary>
    internal void HideEntries(ReadOnlySpan<byte> directory)
    {
        if (FindChanged(directory) is { } above)
        {
            HideEntries(above);
        }
    }

    /// <summary>Hides what layers below the newest have in a directory.</summary>
    internal void HideEntries(TreeNode directory)
    {
        var rest = new Stack<TreeNode>([directory]);
        while (rest.TryPop(out TreeNode? next))
        {
            next.IsChanged = true;
            foreach (TreeNode node in next.Entries(Packs).ToArray())
            {
                if (HideOne(next, node))
                {
                    rest.Push(node);
                }
            }
        }
    }

    private void Hide(TreeNode above, TreeNode node)
    {
        if (HideOne(above, node))
        {
            HideEntries(node);
        }
    }

    /// <summary>Removes a node that the newest layer gave nothing of. Answers whether something below a directory is still to be hidden.</summary>
    private bool HideOne(TreeNode above, TreeNode node)
    {
        if (node.NewestBelow < Layer)
        {
            above.Remove(node);
            return false;
        }

        if (node.Kind != EntryKind.Directory)
        {
            return false;
        }

        if (node.Layer < Layer)
        {
            node.Imply();
        }

        return true;
    }

    /// <summary>Finds a directory and marks all of its path as changed; null if there is no such directory.</summary>
    private TreeNode? FindChanged(ReadOnlySpan<byte> path)
    {
        TreeNode? node = Root;
        node.IsChanged = true;
        while (node is not null && TarPath.Next(ref path, out ReadOnlySpan<byte> name))
        {
            node = node.Find(Packs, name) is { Kind: EntryKind.Directory } next ? next : null;
            _ = node?.IsChanged = true;
        }

        return node;
    }

    private T Add<T>(Stream archive, Func<Stream, T> add)
    {
        BeginLayer();
        using Stream unpacked = TarPacking.Open(archive);
        try
        {
            return add(unpacked);
        }
        catch (TarException e) when (e.Cause is null)
        {
            TarPacking.RequireUndamaged(unpacked);
            throw;
        }
    }

    private void BeginLayer()
    {
        Layer++;
        impliedDirectories = 0;
    }

    private void Note(TreeNode node) => (node.NewestBelow, node.IsChanged) = (Layer, true);

    private void Build(TreeNode directory)
    {
        var builder = new TreeBuilder();
        (long files, long contentBytes) = (0, 0);
        foreach (TreeNode node in directory.Entries(Packs))
        {
            if (builder.TryAdd(node.AsEntry()) is { } fault)
            {
                throw new TarException($"{TarException.Show(node.Name)}: {fault}");
            }

            (long moreFiles, long moreBytes) = TotalsOf(node);
            files += moreFiles;
            contentBytes += moreBytes;
        }

        (directory.Digest, directory.Totals, directory.IsChanged) = (additions.AddTree(builder.Build()), (files, contentBytes), false);
    }

    private (long Files, long ContentBytes) TotalsOf(TreeNode node)
    {
        if (node.Kind != EntryKind.Directory)
        {
            return (1, node.Size);
        }

        if (node.Totals.Files < 0)
        {
            (long files, long contentBytes) = (0, 0);
            TreeWalk.Visit(Packs, node.Digest, (PathBuffer _, in TreeEntry entry) =>
            {
                files += entry.IsDirectory ? 0 : 1;
                contentBytes += entry.Size;
                return true;
            });
            node.Totals = (files, contentBytes);
        }

        return node.Totals;
    }
}
