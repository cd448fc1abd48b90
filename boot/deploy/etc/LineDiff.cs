namespace HackTree.Boot;

/// <summary>Lines that stand in the place of others.</summary>
/// <param name="OldStart">The first line replaced.</param>
/// <param name="OldCount">How many are replaced.</param>
/// <param name="NewStart">The first line in their place.</param>
/// <param name="NewCount">How many there are.</param>
public readonly record struct LineChange(int OldStart, int OldCount, int NewStart, int NewCount)
{
    /// <summary>The line after the last one replaced.</summary>
    public int OldEnd => OldStart + OldCount;

    /// <summary>The line after the last one in their place.</summary>
    public int NewEnd => NewStart + NewCount;
}

/// <summary>Finds what differs between two texts, line by line.</summary>
public static class LineDiff
{
    /// <summary>The longest file, in bytes, that is taken for a text.</summary>
    internal const int LongestText = 1024 * 1024;

    private const int MostCells = 4 * 1024 * 1024;

    /// <summary>The lines of a text, each with its newline.</summary>
    public static string[] LinesOf(string text)
    {
        var lines = new List<string>();
        for (int start = 0, end; start < text.Length; start = end)
        {
            end = text.IndexOf('\n', start) + 1;
            end = end == 0 ? text.Length : end;
            lines.Add(text[start..end]);
        }

        return [.. lines];
    }

    /// <summary>The changes in order, with at least one common line between two. Where very many lines differ, they are one change.</summary>
    public static IReadOnlyList<LineChange> Run(string[] old, string[] now)
    {
        int shorter = Math.Min(old.Length, now.Length), start = 0, end = 0;
        while (start < shorter && old[start] == now[start])
        {
            start++;
        }

        while (end < shorter - start && old[^(end + 1)] == now[^(end + 1)])
        {
            end++;
        }

        ReadOnlySpan<string> before = old.AsSpan(start..^end), after = now.AsSpan(start..^end);
        return before.IsEmpty && after.IsEmpty ? []
            : (before.Length + 1L) * (after.Length + 1L) > MostCells ? [new LineChange(start, before.Length, start, after.Length)]
            : Walk(before, after, start);
    }

    private static List<LineChange> Walk(ReadOnlySpan<string> old, ReadOnlySpan<string> now, int start)
    {
        int[,] common = CommonLengths(old, now);
        var changes = new List<LineChange>();
        for (int i = 0, j = 0; i < old.Length || j < now.Length;)
        {
            int firstOld = i, firstNew = j;
            while ((i < old.Length || j < now.Length) && !(i < old.Length && j < now.Length && old[i] == now[j]))
            {
                if (i < old.Length && (j == now.Length || common[i + 1, j] >= common[i, j + 1]))
                {
                    i++;
                }
                else
                {
                    j++;
                }
            }

            if (i > firstOld || j > firstNew)
            {
                changes.Add(new LineChange(start + firstOld, i - firstOld, start + firstNew, j - firstNew));
            }

            for (; i < old.Length && j < now.Length && old[i] == now[j]; i++, j++)
            {
            }
        }

        return changes;
    }

    /// <summary>How many lines the rests of the two texts have in common, from each pair of lines on.</summary>
    private static int[,] CommonLengths(ReadOnlySpan<string> old, ReadOnlySpan<string> now)
    {
        int[,] common = new int[old.Length + 1, now.Length + 1];
        for (int i = old.Length - 1; i >= 0; i--)
        {
            for (int j = now.Length - 1; j >= 0; j--)
            {
                common[i, j] = old[i] == now[j] ? common[i + 1, j + 1] + 1 : Math.Max(common[i + 1, j], common[i, j + 1]);
            }
        }

        return common;
    }
}
