using System.Text;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// The tags of a remote (transfer/FORMAT.md, section 4). A tag is at most 128 of <c>A-Z a-z 0-9 . _ -</c> and begins with none of <c>. -</c> (OCI
/// distribution specification, "Pulling manifests").
/// </summary>
public static class TagName
{
    private const int MaxLength = 128;
    private const string CommitPrefix = "commit_id-";
    private const string Slash = "--";
    private const char Escape = '_';

    // What stands behind the escape. A '-' is escaped only where it would look like the end or the beginning of a slash's two.
    private static readonly (char Character, char Code)[] Codes = [('_', 'u'), ('+', 'p'), ('@', 'a'), ('-', 'm')];

    /// <summary>The tag of a ref. Throws <see cref="StoreException"/> if it would be too long, or if no ref can have the name.</summary>
    public static string OfRef(string name)
    {
        RefName.Require(name);
        var tag = new StringBuilder(name.Length + 16);
        for (int i = 0; i < name.Length; i++)
        {
            char c = name[i];
            bool isPlain = char.IsAsciiLetterOrDigit(c) || c == '.' || (c == '-' && !IsDashOrSlash(name, i - 1) && !IsDashOrSlash(name, i + 1));
            tag = isPlain ? tag.Append(c) : c == '/' ? tag.Append(Slash) : tag.Append(Escape).Append(Array.Find(Codes, each => each.Character == c).Code);
        }

        return tag.Length <= MaxLength
            ? tag.ToString()
            : throw new StoreException($"the ref '{name}' is too long for a remote: its tag would have {tag.Length} characters, and {MaxLength} are allowed");
    }

    /// <summary>The tag of a commit.</summary>
    public static string OfCommit(Digest commit) => CommitPrefix + commit;

    /// <summary>The ref of a tag; null for the tag of a commit, and for one that no ref has.</summary>
    public static string? RefOf(string tag)
    {
        var name = new StringBuilder(tag.Length);
        for (int i = 0; i < tag.Length; i++)
        {
            if (tag[i] != Escape)
            {
                bool isSlash = string.CompareOrdinal(tag, i, Slash, 0, Slash.Length) == 0;
                name.Append(isSlash ? '/' : tag[i]);
                i += isSlash ? 1 : 0;
                continue;
            }

            char code = ++i < tag.Length ? tag[i] : default;
            (char character, char _) = Array.Find(Codes, each => each.Code == code);
            if (character == default)
            {
                return null;
            }

            name.Append(character);
        }

        return RefName.IsAllowed(name.ToString()) ? name.ToString() : null;
    }

    private static bool IsDashOrSlash(string name, int index) => index >= 0 && index < name.Length && name[index] is '-' or '/';
}
