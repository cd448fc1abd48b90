using System.Text;

namespace HackTree.Boot;

/// <summary>Merges the changes that two sides made to one text.</summary>
internal static class LineMerge
{
    /// <summary>The text with the changes of both; null if two changes meet, with no line unchanged between them, and are not the same.</summary>
    internal static string? Run(string old, string mine, string theirs)
    {
        string[] oldLines = LineDiff.LinesOf(old), myLines = LineDiff.LinesOf(mine), theirLines = LineDiff.LinesOf(theirs);
        IReadOnlyList<LineChange> ours = LineDiff.Run(oldLines, myLines), others = LineDiff.Run(oldLines, theirLines);
        var text = new StringBuilder();
        int place = 0, i = 0, j = 0;
        while (i < ours.Count || j < others.Count)
        {
            bool isMine = j == others.Count || (i < ours.Count && ours[i].OldEnd < others[j].OldStart);
            bool isTheirs = i == ours.Count || (j < others.Count && others[j].OldEnd < ours[i].OldStart);
            if (!isMine && !isTheirs)
            {
                if (!IsSame(ours[i], myLines, others[j], theirLines))
                {
                    return null;
                }

                isMine = true;
                j++;
            }

            LineChange change = isMine ? ours[i++] : others[j++];
            text.AppendJoin("", oldLines[place..change.OldStart]);
            text.AppendJoin("", (isMine ? myLines : theirLines)[change.NewStart..change.NewEnd]);
            place = change.OldEnd;
        }

        return text.AppendJoin("", oldLines[place..]).ToString();
    }

    private static bool IsSame(LineChange one, string[] lines, LineChange other, string[] otherLines) =>
        one.OldStart == other.OldStart
        && one.OldCount == other.OldCount
        && lines.AsSpan(one.NewStart, one.NewCount).SequenceEqual(otherLines.AsSpan(other.NewStart, other.NewCount));
}
