namespace HackTree.Transfer;

/// <summary>Patterns of OpenSSH (ssh_config(5), PATTERNS): separated by commas, with * and ?, and ! before one that must not match.</summary>
internal static class PatternList
{
    /// <summary>Whether a pattern matches, and none that begins with ! does.</summary>
    internal static bool Matches(string patterns, string text)
    {
        bool matches = false;
        foreach (string pattern in patterns.Split(','))
        {
            bool isNegative = pattern.StartsWith('!');
            if (IsMatch(isNegative ? pattern.AsSpan(1) : pattern, text))
            {
                if (isNegative)
                {
                    return false;
                }

                matches = true;
            }
        }

        return matches;
    }

    /// <summary>Goes back only to the last star, so the time is at most the product of the lengths.</summary>
    private static bool IsMatch(ReadOnlySpan<char> pattern, ReadOnlySpan<char> text)
    {
        int star = -1, resume = 0, p = 0, t = 0;
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                (star, resume) = (p++, t);
            }
            else if (p < pattern.Length && (pattern[p] == '?' || pattern[p] == text[t]))
            {
                p++;
                t++;
            }
            else if (star >= 0)
            {
                (p, t) = (star + 1, ++resume);
            }
            else
            {
                return false;
            }
        }

        return pattern[p..].TrimStart('*').IsEmpty;
    }
}
