using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>
/// Reads a tar stream into a store. Nothing is extracted: names become entries of a <see cref="LayeredTree"/>, and content goes straight into
/// objects. So no name in an archive can reach a place outside the tree.
/// </summary>
public sealed class TarImport : IDisposable
{
    private readonly LayeredTree tree;
    private readonly bool hasWhiteouts;
    private readonly Additions additions;
    private readonly ImportOptions options;
    private readonly TarReader reader;
    private readonly TarExcluded excluded;
    private readonly byte[] buffer = GC.AllocateUninitializedArray<byte>(Blobs.BufferSize);

    private TarImport(LayeredTree tree, Additions additions, Stream archive, ImportOptions options, bool hasWhiteouts)
    {
        this.tree = tree;
        this.hasWhiteouts = hasWhiteouts;
        this.additions = additions;
        this.options = options;
        reader = new TarReader(archive);
        excluded = new TarExcluded(additions, reader);
    }

    /// <summary>
    /// Imports an archive. Nothing is durable yet. A later entry replaces an earlier entry of the same
    /// name, as in an archive that was appended to. Throws an <see cref="IOException"/> that says what and where for an entry that no tree can
    /// hold.
    /// </summary>
    public static ImportResult Run(Additions additions, Stream input, ImportOptions options)
    {
        var tree = new LayeredTree(additions);
        IReadOnlyList<string> notes = tree.AddArchive(input, options, hasWhiteouts: false);
        return tree.Build() with { Notes = notes };
    }

    /// <summary>Adds the entries of an archive that is not compressed to a tree, as its newest layer.</summary>
    internal static IReadOnlyList<string> AddTo(LayeredTree tree, Additions additions, Stream archive, ImportOptions options, bool hasWhiteouts)
    {
        using var import = new TarImport(tree, additions, archive, options, hasWhiteouts);
        while (import.reader.Next())
        {
            additions.Store.Stop.ThrowIfCancellationRequested();
            import.AddOrSay();
        }

        return import.reader.RestOffset is { } rest ? [$"what follows the end of the archive, at byte {rest}, is no archive and was not read"] : [];
    }

    /// <inheritdoc/>
    public void Dispose() => excluded.Dispose();

    /// <summary>Adds the entry. Every exception of the store becomes one that names the entry.</summary>
    private void AddOrSay()
    {
        try
        {
            Add();
        }
        catch (UnheldException e)
        {
            throw reader.Fault(e.Unheld.Fault, e.Unheld.Remedy);
        }
        catch (StoreException e)
        {
            throw reader.Fault(e.Message, e.Remedy);
        }
        catch (LinuxException e)
        {
            throw reader.Fault(e);
        }
    }

    private void Add()
    {
        if (TarPath.Fault(reader.Path) is { } fault)
        {
            throw reader.Fault(fault);
        }

        if (hasWhiteouts && TarWhiteout.Of(reader.Path) is { } whiteout)
        {
            Apply(whiteout);
            return;
        }

        if (Matches(options.Excludes))
        {
            Exclude();
            return;
        }

        TreeNode node = Place();
        if (reader.IsHardLink)
        {
            node.TakeFrom(FindOriginal());
            options.Progress?.Add(0);
            return;
        }

        Describe(node);
        if (node.Kind == EntryKind.Regular && Matches(options.Emptied))
        {
            node.Size = 0;
        }

        RequireValid(node);
        RequireHeld(node);
        if (node.Kind != EntryKind.Directory)
        {
            node.Digest = node.Kind == EntryKind.Regular ? AddContent(node, Fill, reader.IsSparse) : default;
            options.Progress?.Add(node.Size);
        }
    }

    private void Apply(TarWhiteout whiteout)
    {
        if (whiteout.Fault is { } fault)
        {
            throw reader.Fault(fault);
        }

        if (whiteout.IsOpaque)
        {
            tree.HideEntries(whiteout.Directory);
        }
        else if (whiteout.Name.Length > 0)
        {
            tree.Hide(whiteout.Directory, whiteout.Name);
        }
    }

    /// <summary>Leaves the entry out. What a later hard link to it would need is kept.</summary>
    private void Exclude()
    {
        if (reader.IsHardLink)
        {
            excluded.KeepLink(tree.Find(reader.LinkTarget) is { Kind: not EntryKind.Directory } original ? original : null);
        }
        else if (reader.Kind != EntryKind.Directory)
        {
            var node = new TreeNode([]);
            Describe(node);
            excluded.Keep(node);
        }
    }

    private void Describe(TreeNode node)
    {
        FileMetadata metadata = reader.Metadata;
        ushort mode = reader.Kind == EntryKind.Symlink ? FileMetadata.SymlinkMode : metadata.Mode;
        byte[] xattrs = reader.Xattrs.Length == 0 ? [] : XattrSet.Where(reader.Xattrs, IsWanted).ToArray();
        node.Xattrs = reader.Kind == EntryKind.Symlink ? xattrs : AclAndMode.Settle(xattrs, ref mode);
        long time = options.ClampsTimes ? additions.Trials.Clamp(metadata.ModifyTime) : metadata.ModifyTime;
        node.Metadata = metadata with { Mode = mode, ModifyTime = additions.Store.Format.KeepTimes ? time : 0 };
        node.Kind = reader.Kind;
        node.Target = reader.Kind == EntryKind.Symlink ? reader.LinkTarget.ToArray() : [];
        node.DeviceMajor = reader.DeviceMajor;
        node.DeviceMinor = reader.DeviceMinor;
        node.Size = reader.Kind == EntryKind.Regular ? reader.Size : 0;
    }

    private bool IsWanted(ReadOnlySpan<byte> attribute) =>
        !options.LeavesOut(attribute) && !additions.Store.Format.PassesOver(attribute);

    /// <summary>Throws if a checkout could not restore the metadata of an entry that is no file. Files are looked at when they are stored.</summary>
    private void RequireHeld(TreeNode node)
    {
        if (node.Kind != EntryKind.Regular && additions.Trials.Find(node.Kind, node.Metadata, node.Xattrs) is { } unheld)
        {
            throw reader.Fault(unheld.Fault, unheld.Remedy);
        }
    }

    private Digest AddContent(TreeNode node, ContentReader read, bool leaveHoles)
    {
        if (node.Size > buffer.Length)
        {
            return additions.AddStream(read, node.Size, node.Metadata, node.Xattrs, leaveHoles: leaveHoles);
        }

        Span<byte> content = buffer.AsSpan(0, (int)node.Size);
        read(content);
        return additions.AddBytes(content, node.Metadata, node.Xattrs, leaveHoles);
    }

    private void Fill(Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            int count = reader.ReadContent(destination);
            if (count == 0)
            {
                throw reader.Fault("its content ends before its size");
            }

            destination = destination[count..];
        }
    }

    /// <summary>The file that the reader's entry is a hard link to. It must be earlier in the archive; it may have been excluded.</summary>
    private TreeNode FindOriginal()
    {
        if (TarPath.Fault(reader.LinkTarget) is { } fault)
        {
            throw reader.Fault($"linked to {TarException.Show(reader.LinkTarget)}: {fault}");
        }

        if (tree.Find(reader.LinkTarget) is { Kind: not EntryKind.Directory } original)
        {
            return original;
        }

        TreeNode left = excluded.Find(reader.LinkTarget, out ContentReader read, out bool hasHoles)
            ?? throw reader.Fault($"linked to {TarException.Show(reader.LinkTarget)}, which is no file in the archive before it");
        RequireValid(left);
        RequireHeld(left);
        if (left.Kind == EntryKind.Regular && left.Digest.IsNone)
        {
            left.Digest = AddContent(left, read, hasHoles);
        }

        return left;
    }

    /// <summary>The node of the reader's entry. A directory that it takes the place of loses what layers below have in it.</summary>
    private TreeNode Place()
    {
        TreeNode node = tree.FindOrMake(reader.Path, out string fault) ?? throw reader.Fault(fault);
        node.Layer = tree.Layer;
        if (reader.Kind == EntryKind.Directory)
        {
            return node;
        }

        if (node == tree.Root)
        {
            throw reader.Fault("the tree itself would not be a directory");
        }

        if (node.Kind == EntryKind.Directory)
        {
            tree.HideEntries(node);
            if (tree.HasEntries(node))
            {
                throw reader.Fault("it would take the place of a directory that has entries");
            }
        }

        return node;
    }

    /// <summary>Whether a pattern matches the current entry's path or a directory above it.</summary>
    private bool Matches(IReadOnlyList<PathGlob> globs)
    {
        if (globs.Count == 0)
        {
            return false;
        }

        // An excluded directory excludes everything below it, so each directory of the path is matched too.
        var path = new PathBuffer();
        ReadOnlySpan<byte> rest = reader.Path;
        while (TarPath.Next(ref rest, out ReadOnlySpan<byte> name))
        {
            path.Push(name);
            foreach (PathGlob glob in globs)
            {
                if (glob.Matches(path.Bytes))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private void RequireValid(TreeNode node)
    {
        if (node.Kind == EntryKind.Symlink && (node.Target.Length is 0 or > 4095 || node.Target.Contains((byte)0)))
        {
            throw reader.Fault("its target is not one that a symbolic link can have");
        }

        if (node.Metadata.Uid == FileMetadata.NoOwner || node.Metadata.Gid == FileMetadata.NoOwner)
        {
            throw reader.Fault($"{FileMetadata.NoOwner} is no user and no group");
        }
    }
}
