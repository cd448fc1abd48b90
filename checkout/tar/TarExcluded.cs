using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Checkout;

/// <summary>
/// The entries of an archive that --exclude leaves out. A later hard link may refer to one of them: then the link's name is the file's only
/// name in the tree, and needs the content. Because an archive is read once, front to back, the content of each excluded file is kept in an
/// unnamed file of the store's tmp/ until the import ends. Nothing of it becomes an object unless such a link is found.
/// </summary>
internal sealed class TarExcluded(Additions additions, TarReader reader) : IDisposable
{
    private const int BufferSize = 256 * 1024;

    private readonly Dictionary<byte[], Entry> entries = new(ByteComparer.Instance);
    private SafeFileHandle? file;
    private byte[] buffer = [];
    private long length;

    /// <summary>
    /// Keeps the reader's entry, described by <paramref name="node"/>. The content of a file is kept as the archive stores it: holes take no
    /// space.
    /// </summary>
    internal void Keep(TreeNode node)
    {
        long start = length;
        if (node.Kind == EntryKind.Regular)
        {
            buffer = buffer.Length > 0 ? buffer : GC.AllocateUninitializedArray<byte>(BufferSize);
            file ??= additions.OpenScratch();
            while (reader.ReadStored(buffer) is > 0 and int count)
            {
                additions.Store.Stop.ThrowIfCancellationRequested();
                Sys.WriteAt(file, buffer.AsSpan(0, count), length).ThrowIfFailed("pwrite", additions.Store);
                length += count;
            }
        }

        entries[TarPath.Plain(reader.Path)] = new Entry(node, start, reader.Map);
    }

    /// <summary>
    /// Keeps the reader's entry, a hard link, as another name of its target: of <paramref name="original"/>, which is in the tree, or else of
    /// an excluded entry. A link to anything else is forgotten.
    /// </summary>
    internal void KeepLink(TreeNode? original)
    {
        if (original is not null)
        {
            // A copy, because a later entry of the same path changes the node.
            var copy = new TreeNode([]);
            copy.TakeFrom(original);
            entries[TarPath.Plain(reader.Path)] = new Entry(copy, 0, null);
        }
        else if (entries.TryGetValue(TarPath.Plain(reader.LinkTarget), out Entry? target))
        {
            entries[TarPath.Plain(reader.Path)] = target;
        }
    }

    /// <summary>
    /// The excluded entry of a path; null if there is none. A file that is no object yet has no digest; <paramref name="read"/> reads its
    /// content from the start, once.
    /// </summary>
    internal TreeNode? Find(ReadOnlySpan<byte> path, out ContentReader read, out bool hasHoles)
    {
        Entry? entry = entries.GetValueOrDefault(TarPath.Plain(path));
        long at = entry?.Start ?? 0;
        read = destination => Read(destination, entry!.Map, ref at);
        hasHoles = entry?.Map is not null;
        return entry?.Node;
    }

    public void Dispose() => file?.Dispose();

    private void Read(Span<byte> destination, TarSparse? map, ref long at)
    {
        while (!destination.IsEmpty)
        {
            bool isStored = true;
            int count = map is null ? destination.Length : map.Take(destination.Length, out isStored);
            Span<byte> part = destination[..count];
            if (isStored)
            {
                Sys.ReadAt(file!, part, at, out int done).ThrowIfFailed("pread", additions.Store);
                at += done == count ? count : throw reader.Fault("what was kept of the excluded file it is linked to became shorter");
            }
            else
            {
                part.Clear();
            }

            destination = destination[count..];
        }
    }

    private sealed record Entry(TreeNode Node, long Start, TarSparse? Map);
}
