using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>
/// Reads a tar stream into a store. Nothing is extracted: names become tree entries in memory, and content goes straight into objects. So no
/// name in an archive can reach a place outside the tree. Takes some 300 bytes of memory for each entry.
/// </summary>
public sealed class TarImport : IDisposable
{
    // Two bytes of a path make a directory of some 300 bytes in memory. Without a limit, a hostile archive could fill the memory.
    private const int MostImpliedDirectories = 1_000_000;

    private readonly Additions additions;
    private readonly ImportOptions options;
    private readonly Stream archive;
    private readonly TarReader reader;
    private readonly TarExcluded excluded;
    private readonly TarNode root = new([]);
    private readonly byte[] buffer = GC.AllocateUninitializedArray<byte>(Blobs.BufferSize);
    private int impliedDirectories;

    private TarImport(Additions additions, Stream input, ImportOptions options)
    {
        this.additions = additions;
        this.options = options;
        archive = TarPacking.Open(input);
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
        using var import = new TarImport(additions, input, options);
        try
        {
            while (import.reader.Next())
            {
                additions.Store.Stop.ThrowIfCancellationRequested();
                import.AddOrSay();
            }
        }
        catch (TarException e) when (e.Cause is null)
        {
            TarPacking.RequireUndamaged(import.archive);
            throw;
        }

        string[] notes = import.reader.RestOffset is { } rest
            ? [$"what follows the end of the archive, at byte {rest}, is no archive and was not read"]
            : [];
        return TarNode.Build(import.root, additions) with { Notes = notes };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        excluded.Dispose();
        archive.Dispose();
    }

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

        if (Matches(options.Excludes))
        {
            Exclude();
            return;
        }

        TarNode node = Place(reader.Path, make: true)!;
        if (node == root && reader.Kind != EntryKind.Directory)
        {
            throw reader.Fault("the tree itself would not be a directory");
        }

        if (node.HasEntries && reader.Kind != EntryKind.Directory)
        {
            throw reader.Fault("it would take the place of a directory that has entries");
        }

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
        node.Digest = node.Kind == EntryKind.Regular ? AddContent(node, Fill, reader.IsSparse) : default;
        if (node.Kind != EntryKind.Directory)
        {
            options.Progress?.Add(node.Size);
        }
    }

    /// <summary>Leaves the entry out. What a later hard link to it would need is kept.</summary>
    private void Exclude()
    {
        if (reader.IsHardLink)
        {
            excluded.KeepLink(Place(reader.LinkTarget, make: false) is { Kind: not EntryKind.Directory } original ? original : null);
        }
        else if (reader.Kind != EntryKind.Directory)
        {
            var node = new TarNode([]);
            Describe(node);
            excluded.Keep(node);
        }
    }

    private void Describe(TarNode node)
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
        !options.LeavesOut(attribute) && !(additions.Store.Format.IgnoresMachineXattrs && StoreFormat.IsMachineXattr(attribute));

    /// <summary>Throws if a checkout could not restore the metadata of an entry that is no file. Files are looked at when they are stored.</summary>
    private void RequireHeld(TarNode node)
    {
        if (node.Kind != EntryKind.Regular && additions.Trials.Find(node.Kind, node.Metadata, node.Xattrs) is { } unheld)
        {
            throw reader.Fault(unheld.Fault, unheld.Remedy);
        }
    }

    private Digest AddContent(TarNode node, ContentReader read, bool leaveHoles)
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
    private TarNode FindOriginal()
    {
        if (TarPath.Fault(reader.LinkTarget) is { } fault)
        {
            throw reader.Fault($"linked to {TarException.Show(reader.LinkTarget)}: {fault}");
        }

        if (Place(reader.LinkTarget, make: false) is { Kind: not EntryKind.Directory } original)
        {
            return original;
        }

        TarNode left = excluded.Find(reader.LinkTarget, out ContentReader read, out bool hasHoles)
            ?? throw reader.Fault($"linked to {TarException.Show(reader.LinkTarget)}, which is no file in the archive before it");
        RequireValid(left);
        RequireHeld(left);
        if (left.Kind == EntryKind.Regular && left.Digest.IsNone)
        {
            left.Digest = AddContent(left, read, hasHoles);
        }

        return left;
    }

    /// <summary>Finds the node of a path; null if there is none. On demand makes it, and the directories above it.</summary>
    private TarNode? Place(ReadOnlySpan<byte> path, bool make)
    {
        TarNode node = root;
        while (TarPath.Next(ref path, out ReadOnlySpan<byte> name))
        {
            if (node.Kind != EntryKind.Directory && !make)
            {
                return null;
            }

            if (node.Kind != EntryKind.Directory)
            {
                throw reader.Fault($"its path goes through {ByteText.Quote(node.Name)}, which is no directory");
            }

            TarNode? next = node.Find(name);
            if (next is null && !make)
            {
                return null;
            }

            node = next ?? node.Add(name);
            if (next is null && !path.IsEmpty && ++impliedDirectories > MostImpliedDirectories)
            {
                throw reader.Fault($"the archive implies more than {MostImpliedDirectories} directories that have no entry of their own");
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

    private void RequireValid(TarNode node)
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
