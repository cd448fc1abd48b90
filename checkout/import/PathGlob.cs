using HackTree.Model;
using HackTree.Store;

namespace HackTree.Checkout;

/// <summary>
/// A pattern for paths below a tree, as bytes. ? matches one byte other than '/', * any number of them, ** any number of bytes including
/// '/'. [a-z] matches one byte of a set, [!a-z] one byte outside it. \ makes the next byte an ordinary one. A pattern with a '/' before its
/// end is matched against the whole path from the tree's root; any other pattern against the last name alone, at every depth.
/// </summary>
public sealed class PathGlob
{
    private readonly byte[] pattern;
    private readonly bool isWholePath;

    /// <summary>The pattern as it was written.</summary>
    public string Text { get; }

    /// <summary>Reads a pattern. Throws <see cref="StoreException"/> for a pattern that is empty or has an unclosed bracket.</summary>
    public PathGlob(string text)
    {
        Text = text;

        // Shells complete a name at the top as "./foo".
        text = text.StartsWith("./", StringComparison.Ordinal) ? text[1..] : text;
        string trimmed = text.Trim('/');
        pattern = ByteText.FromArgument(trimmed);
        isWholePath = text.TrimEnd('/').Contains('/', StringComparison.Ordinal);
        for (int i = 0; i < pattern.Length; i++)
        {
            if (pattern[i] == (byte)'\\')
            {
                i++;
            }
            else if (pattern[i] == (byte)'[' && ClassEnd(pattern, i) < 0)
            {
                throw new StoreException($"'{text}' has a '[' without its ']'; write \\[ for the character itself");
            }
        }

        if (pattern.Length == 0)
        {
            throw new StoreException($"'{Text}' matches nothing; give a name or a path");
        }
    }

    /// <summary>Whether the pattern matches a path below the tree.</summary>
    public bool Matches(ReadOnlySpan<byte> path) =>
        IsMatch(pattern, isWholePath ? path : path[(path.LastIndexOf((byte)'/') + 1)..]);

    /// <summary>Whether the pattern matches a name that is no path, such as that of an attribute.</summary>
    public bool MatchesWhole(ReadOnlySpan<byte> name) => IsMatch(pattern, name);

    /// <summary>
    /// Matches from the left. At a mismatch it goes back to the last star and lets that star take one byte more. Once a later star is reached,
    /// an earlier star of the same kind need not be tried again, so the time does not grow exponentially with the number of stars.
    /// </summary>
    private static bool IsMatch(ReadOnlySpan<byte> pattern, ReadOnlySpan<byte> text)
    {
        int p = 0, t = 0;
        (int Pattern, int Text) star = (-1, 0), doubleStar = (-1, 0);
        while (t < text.Length || p < pattern.Length)
        {
            if (p < pattern.Length && pattern[p] == (byte)'*')
            {
                bool isDouble = p + 1 < pattern.Length && pattern[p + 1] == (byte)'*';
                p += isDouble ? 2 : 1;
                (star, doubleStar) = isDouble ? ((-1, 0), (p, t)) : ((p, t), doubleStar);
            }
            else if (t < text.Length && p < pattern.Length && MatchOne(pattern, ref p, text[t]))
            {
                t++;
            }
            else if (star.Pattern >= 0 && star.Text < text.Length && text[star.Text] != (byte)'/')
            {
                star.Text++;
                (p, t) = star;
            }
            else if (doubleStar.Pattern >= 0 && doubleStar.Text < text.Length)
            {
                doubleStar.Text++;
                (p, t) = doubleStar;
                star = (-1, 0);
            }
            else
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Matches one byte against the pattern's next element; moves past the element if it fits.</summary>
    private static bool MatchOne(ReadOnlySpan<byte> pattern, ref int p, byte value)
    {
        switch (pattern[p])
        {
            case (byte)'?' when value != (byte)'/':
                p++;
                return true;
            case (byte)'[':
                int end = ClassEnd(pattern, p);
                bool isIn = value != (byte)'/' && IsInClass(pattern[(p + 1)..end], value);
                p = isIn ? end + 1 : p;
                return isIn;
            case (byte)'\\' when p + 1 < pattern.Length && pattern[p + 1] == value:
                p += 2;
                return true;
            case (byte)'?' or (byte)'\\':
                return false;
            default:
                bool isSame = pattern[p] == value;
                p += isSame ? 1 : 0;
                return isSame;
        }
    }

    private static int ClassEnd(ReadOnlySpan<byte> pattern, int open)
    {
        // A ']' in first place belongs to the set (glob(7)).
        int first = open + 1 + (open + 1 < pattern.Length && pattern[open + 1] == (byte)'!' ? 1 : 0);
        int end = first + 1 < pattern.Length ? pattern[(first + 1)..].IndexOf((byte)']') : -1;
        return end < 0 ? -1 : first + 1 + end;
    }

    private static bool IsInClass(ReadOnlySpan<byte> members, byte value)
    {
        bool isNegated = members[0] == (byte)'!';
        members = isNegated ? members[1..] : members;
        bool isIn = false;
        for (int i = 0; i < members.Length; i++)
        {
            bool isRange = i + 2 < members.Length && members[i + 1] == (byte)'-';
            isIn |= isRange ? value >= members[i] && value <= members[i + 2] : value == members[i];
            i += isRange ? 2 : 0;
        }

        return isIn != isNegated;
    }
}
