using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace HackTree.Model;

/// <summary>
/// A root tree, where it came from, and what its author says about it. Its bytes are readable text (FORMAT.md, "Commit"); its digest is
/// their SHA-256.
/// </summary>
public sealed record Commit
{
    /// <summary>The longest commit that the format allows, in bytes.</summary>
    public const int MaxLength = 1024 * 1024;

    private const string FirstLine = "hacktree commit 1";

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>Digest of the root directory's tree.</summary>
    public required Digest Tree { get; init; }

    /// <summary>Mode, owner and time of the root directory itself.</summary>
    public required FileMetadata RootMetadata { get; init; }

    /// <summary>Extended attributes of the root directory, canonical.</summary>
    public ReadOnlyMemory<byte> RootXattrs { get; init; }

    /// <summary>
    /// The root directory as an entry without a name. It is not a property, because a record prints its properties and a ref struct cannot
    /// be boxed.
    /// </summary>
    public TreeEntry RootEntry() => new() { Kind = EntryKind.Directory, Metadata = RootMetadata, Xattrs = RootXattrs.Span, Digest = Tree };

    /// <summary>The digests of the commits before this one: usually one or none.</summary>
    public ImmutableArray<Digest> Parents { get; init; } = [];

    /// <summary>When the commit was made, in seconds since 1970.</summary>
    public required long Time { get; init; }

    /// <summary>Entries in the tree that are not directories.</summary>
    public required long Files { get; init; }

    /// <summary>Sum of the sizes of the regular files. A file with several names counts once for each name.</summary>
    public required long ContentBytes { get; init; }

    /// <summary>One line that describes the commit; may be empty.</summary>
    public string Subject { get; init; } = "";

    /// <summary>Further lines of description; may be empty.</summary>
    public string Body { get; init; } = "";

    /// <summary>Annotations: each key has a value of one line.</summary>
    public ImmutableSortedDictionary<string, string> Annotations { get; init => field = value.WithComparers(StringComparer.Ordinal); } =
        NoAnnotations;

    /// <summary>The empty set of annotations, ordered by code unit as the format wants.</summary>
    public static ImmutableSortedDictionary<string, string> NoAnnotations { get; } =
        ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>The same commit with one parent, or without any for none.</summary>
    public Commit AsChildOf(Digest parent) => this with { Parents = parent.IsNone ? [] : [parent] };

    /// <summary>The digest of a commit's bytes.</summary>
    public static Digest DigestOf(ReadOnlySpan<byte> bytes) => Digest.Of(bytes);

    /// <summary>Whether <paramref name="key"/> may name an annotation: 1-64 of a-z A-Z 0-9 . _ -</summary>
    public static bool IsAnnotationKey(string key) =>
        key.Length is > 0 and <= 64 && key.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');

    /// <summary>Whether <paramref name="text"/> is one line of well-formed text.</summary>
    public static bool IsLine(string text) => !text.Any(c => c is '\n' or '\r' or '\0') && IsWellFormed(text);

    /// <summary>
    /// The commit's bytes. Throws <see cref="ArgumentException"/> for values that the text cannot hold, such as a subject of two lines.
    /// </summary>
    public byte[] Encode()
    {
        if (Fault() is { } fault)
        {
            throw new ArgumentException(fault);
        }

        byte[] bytes = StrictUtf8.GetBytes(Text());
        return bytes.Length <= MaxLength ? bytes : throw new ArgumentException($"a commit's text may have {MaxLength} bytes, not {bytes.Length}");
    }

    /// <summary>Reads a commit's bytes. False, with the reason, for bytes that <see cref="Encode"/> would not have made.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out Commit? commit, [NotNullWhen(false)] out string? error)
    {
        commit = null;
        if (bytes.Length > MaxLength)
        {
            error = $"a commit of {bytes.Length} bytes";
            return false;
        }

        if (!ByteText.IsUtf8(bytes))
        {
            error = "a commit that is not UTF-8 text";
            return false;
        }

        string text = StrictUtf8.GetString(bytes);
        Commit? parsed = CommitParser.Parse(text, FirstLine);

        // One commit is one byte string: text that encodes differently (leading zeros, another order) is refused.
        error = parsed is null || parsed.Fault() is not null || parsed.Text() != text ? "not a commit's text" : null;
        commit = error is null ? parsed : null;
        return error is null;
    }

    internal static string Octal(ushort mode) => Convert.ToString(mode, 8).PadLeft(4, '0');

    private string Text()
    {
        var text = new StringBuilder();
        text.Append(FirstLine).Append('\n');
        text.Append("tree ").Append(Tree).Append('\n');
        text.Append(
            CultureInfo.InvariantCulture,
            $"root {Octal(RootMetadata.Mode)} {RootMetadata.Uid} {RootMetadata.Gid} {RootMetadata.ModifyTime}\n");
        if (!RootXattrs.IsEmpty)
        {
            text.Append("root-xattrs ").Append(Convert.ToHexStringLower(RootXattrs.Span)).Append('\n');
        }

        foreach (Digest parent in Parents)
        {
            text.Append("parent ").Append(parent).Append('\n');
        }

        text.Append(CultureInfo.InvariantCulture, $"time {Time}\nfiles {Files}\nbytes {ContentBytes}\n");
        text.Append("subject ").Append(Subject).Append('\n');
        foreach ((string key, string value) in Annotations)
        {
            text.Append("meta ").Append(key).Append('=').Append(value).Append('\n');
        }

        return text.Append('\n').Append(Body).ToString();
    }

    private static bool IsWellFormed(string text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsSurrogate(text[i]) && !(i + 1 < text.Length && char.IsSurrogatePair(text[i], text[++i])))
            {
                return false;
            }
        }

        return true;
    }

    private string? Fault() => this switch
    {
        _ when !IsLine(Subject) => "the subject must be one line of text",
        _ when !IsWellFormed(Body) || Body.Contains('\0') => "the body must be text",
        _ when Annotations.Keys.FirstOrDefault(k => !IsAnnotationKey(k)) is { } key =>
            $"'{key}' cannot name an annotation: use letters, digits, '.', '_' and '-'",
        _ when !Annotations.Values.All(IsLine) => "an annotation's value must be one line of text",
        _ when RootMetadata.Mode > FileMetadata.ModeMask => "mode of more than 12 bits",
        _ when RootMetadata.Uid == FileMetadata.NoOwner || RootMetadata.Gid == FileMetadata.NoOwner => "an owner that nobody can be",
        _ when !XattrSet.IsCanonical(RootXattrs.Span) => "extended attributes that are not canonical",
        _ when Files < 0 || ContentBytes < 0 => "negative totals",
        _ => null,
    };
}
