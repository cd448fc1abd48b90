using System.Buffers;
using System.Buffers.Binary;

namespace HackTree.Model;

/// <summary>
/// Makes a tree from entries in any order. The entries are kept encoded in one buffer: a directory of 100,000 files costs the bytes of its
/// tree and four more for each entry. Not thread-safe.
/// </summary>
public sealed class TreeBuilder
{
    private readonly ArrayBufferWriter<byte> entries = new(256);
    private readonly List<int> starts = [];

    /// <summary>The number of entries so far.</summary>
    public int Count => starts.Count;

    /// <summary>Adds an entry. Throws <see cref="ArgumentException"/> for an entry that no tree may hold.</summary>
    public void Add(in TreeEntry entry)
    {
        if (TreeLayout.Fault(entry) is { } fault)
        {
            throw new ArgumentException($"{ByteText.Quote(entry.Name)}: {fault}", nameof(entry));
        }

        int length = TreeLayout.Length(entry);
        if ((long)entries.WrittenCount + length > Tree.MaxLength - TreeLayout.CountSize)
        {
            throw new ArgumentException("more entries in one directory than a tree takes", nameof(entry));
        }

        starts.Add(entries.WrittenCount);
        TreeLayout.Write(entry, entries.GetSpan(length));
        entries.Advance(length);
    }

    /// <summary>The tree. Throws <see cref="ArgumentException"/> if a name was added twice.</summary>
    public Tree Build()
    {
        ReadOnlyMemory<byte> written = entries.WrittenMemory;
        starts.Sort((x, y) => TreeLayout.NameOf(written.Span[x..]).SequenceCompareTo(TreeLayout.NameOf(written.Span[y..])));
        byte[] bytes = new byte[TreeLayout.CountSize + written.Length];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, starts.Count);
        Span<byte> rest = bytes.AsSpan(TreeLayout.CountSize);
        foreach (int start in starts)
        {
            int length = TreeLayout.Read(written.Span[start..], out _);
            written.Span.Slice(start, length).CopyTo(rest);
            rest = rest[length..];
        }

        return Tree.TryDecode(bytes, out Tree? tree, out string? error) ? tree : throw new ArgumentException(error);
    }
}
