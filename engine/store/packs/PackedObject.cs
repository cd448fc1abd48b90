using HackTree.Model;

namespace HackTree.Store;

/// <summary>Checks the bytes of an object in a pack.</summary>
internal static class PackedObject
{
    /// <summary>The digest of an object's bytes, which is its name in packs.</summary>
    internal static Digest DigestOf(PackedKind kind, ReadOnlySpan<byte> bytes) =>
        kind == PackedKind.Tree ? Tree.DigestOf(bytes) : Commit.DigestOf(bytes);

    /// <summary>Says what is wrong with an object's bytes; null if they match the pack's index row.</summary>
    internal static string? FindFault(IndexRow row, ReadOnlyMemory<byte> bytes)
    {
        string? error;
        bool isValid = row.Kind == PackedKind.Tree
            ? Tree.TryDecode(bytes, out _, out error)
            : Commit.TryDecode(bytes.Span, out _, out error);
        string kind = row.Kind == PackedKind.Tree ? "tree" : "commit";
        return isValid && DigestOf(row.Kind, bytes.Span) != row.Digest ? $"what it holds as {kind} {row.Digest} is another {kind}"
            : isValid ? null
            : $"{kind} {row.Digest} is damaged ({error})";
    }
}
