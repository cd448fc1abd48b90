using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;

namespace HackTree.Model;

/// <summary>
/// The listing of one directory: canonical bytes that have been checked. Entries are sorted by name bytes, and each name occurs once. The
/// same entries always make the same bytes, so equal digests mean equal trees.
/// </summary>
public sealed class Tree
{
    /// <summary>The longest tree that the format allows, in bytes: some three million entries in one directory.</summary>
    public const int MaxLength = 256 * 1024 * 1024;

    private readonly ReadOnlyMemory<byte> bytes;

    private Tree(ReadOnlyMemory<byte> bytes) => this.bytes = bytes;

    /// <summary>The tree without entries.</summary>
    public static Tree Empty { get; } = new(new byte[TreeLayout.CountSize]);

    /// <summary>The canonical bytes.</summary>
    public ReadOnlySpan<byte> Bytes => bytes.Span;

    /// <summary>The number of entries.</summary>
    public int Count => BinaryPrimitives.ReadInt32LittleEndian(bytes.Span);

    /// <summary>The digest of a tree's canonical bytes: SHA-256 over a domain prefix and the bytes.</summary>
    public static Digest DigestOf(ReadOnlySpan<byte> canonical) => Digest.Of(TreeLayout.Domain, canonical);

    /// <summary>
    /// Checks every byte of <paramref name="bytes"/> and wraps them without a copy. False, with the reason, for bytes that
    /// <see cref="TreeBuilder"/> would not have made. Does not check whether the blobs and trees with the entries' digests exist.
    /// </summary>
    public static bool TryDecode(ReadOnlyMemory<byte> bytes, [NotNullWhen(true)] out Tree? tree, [NotNullWhen(false)] out string? error)
    {
        error = TreeLayout.FindFault(bytes.Span);
        tree = error is null ? new Tree(bytes) : null;
        return error is null;
    }

    /// <summary>Walks the entries in order: <c>foreach (TreeEntry entry in tree)</c>.</summary>
    public Enumerator GetEnumerator() => new(bytes.Span[TreeLayout.CountSize..]);

    /// <summary>The entry of that name; <c>default</c> if there is none. Reads all entries before it.</summary>
    public TreeEntry Find(ReadOnlySpan<byte> name)
    {
        foreach (TreeEntry entry in this)
        {
            int order = entry.Name.SequenceCompareTo(name);
            if (order >= 0)
            {
                return order == 0 ? entry : default;
            }
        }

        return default;
    }

    /// <summary>Walks checked bytes. It cannot fail and allocates nothing.</summary>
    public ref struct Enumerator
    {
        private ReadOnlySpan<byte> rest;
        private TreeEntry current;

        internal Enumerator(ReadOnlySpan<byte> rest) => this.rest = rest;

        /// <summary>The entry that <see cref="MoveNext"/> came to.</summary>
        public readonly TreeEntry Current => current;

        /// <summary>Moves to the next entry; false at the end.</summary>
        public bool MoveNext()
        {
            if (rest.IsEmpty)
            {
                current = default;
                return false;
            }

            int length = TreeLayout.Read(rest, out current);
            rest = rest[length..];
            return true;
        }
    }
}
