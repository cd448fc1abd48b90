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
        if (TryAdd(entry) is { } fault)
        {
            throw new ArgumentException($"{ByteText.Quote(entry.Name)}: {fault}", nameof(entry));
        }
    }

    /// <summary>Adds an entry. If no tree may hold it, says why and adds nothing; otherwise null.</summary>
    public string? TryAdd(in TreeEntry entry)
    {
        if (TreeLayout.Fault(entry) is { } fault)
        {
            return fault;
        }

        int length = TreeLayout.Length(entry);
        if ((long)entries.WrittenCount + length > Tree.MaxLength - TreeLayout.CountSize)
        {
            return $"the entries of its directory take more than the {Tree.MaxLength / 1024 / 1024} MiB of a tree";
        }

        starts.Add(entries.WrittenCount);
        TreeLayout.Write(entry, entries.GetSpan(length));
        entries.Advance(length);
        return null;
    }

    /// <summary>The tree. Throws <see cref="ArgumentException"/> if a name was added twice.</summary>
    public Tree Build() => TryBuild(out string? fault) ?? throw new ArgumentException(fault);

    /// <summary>The tree; null if a name was added twice.</summary>
    public Tree? TryBuild() => TryBuild(out _);

    private Tree? TryBuild(out string? fault)
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

        return Tree.TryDecode(bytes, out Tree? tree, out fault) ? tree : null;
    }
}
