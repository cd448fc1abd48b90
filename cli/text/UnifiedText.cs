using System.Text;
using HackTree.Boot;

namespace HackTree.Cli;

/// <summary>Writes what differs between two texts as diff -u does, with three lines around each change.</summary>
internal static class UnifiedText
{
    private const int Around = 3;

    /// <summary>The whole, with its two lines of names.</summary>
    internal static string Of(string oldName, string newName, string before, string after)
    {
        string[] old = LineDiff.LinesOf(before), now = LineDiff.LinesOf(after);
        IReadOnlyList<LineChange> changes = LineDiff.Run(old, now);
        var text = new StringBuilder($"--- {oldName}\n+++ {newName}\n");
        for (int first = 0, end; first < changes.Count; first = end)
        {
            end = first + 1;
            while (end < changes.Count && changes[end].OldStart - changes[end - 1].OldEnd <= 2 * Around)
            {
                end++;
            }

            WriteHunk(text, old, now, [.. changes.Skip(first).Take(end - first)]);
        }

        return text.ToString();
    }

    private static void WriteHunk(StringBuilder text, string[] old, string[] now, LineChange[] changes)
    {
        int before = Math.Min(Around, changes[0].OldStart), place = changes[0].OldStart - before;
        int oldEnd = Math.Min(old.Length, changes[^1].OldEnd + Around), newEnd = changes[^1].NewEnd + oldEnd - changes[^1].OldEnd;
        text.Append($"@@ -{Range(place, oldEnd - place)} +{Range(changes[0].NewStart - before, newEnd - changes[0].NewStart + before)} @@\n");
        foreach (LineChange change in changes)
        {
            WriteLines(text, ' ', old.AsSpan(place..change.OldStart));
            WriteLines(text, '-', old.AsSpan(change.OldStart, change.OldCount));
            WriteLines(text, '+', now.AsSpan(change.NewStart, change.NewCount));
            place = change.OldEnd;
        }

        WriteLines(text, ' ', old.AsSpan(place..oldEnd));
    }

    /// <summary>Lines are counted from 1. A range of none is told by the line before it.</summary>
    private static string Range(int start, int count) => $"{(count == 0 ? start : start + 1)},{count}";

    private static void WriteLines(StringBuilder text, char sign, ReadOnlySpan<string> lines)
    {
        foreach (string line in lines)
        {
            text.Append(sign).Append(line);
            if (!line.EndsWith('\n'))
            {
                text.Append("\n\\ No newline at end of file\n");
            }
        }
    }
}
