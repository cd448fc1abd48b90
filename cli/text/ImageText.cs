using HackTree.Boot;
using HackTree.Checkout;

namespace HackTree.Cli;

/// <summary>Sentences about disk images.</summary>
internal static class ImageText
{
    /// <summary>Says that a directory which roots share stays on a partition of its own.</summary>
    internal static string Apart(FstabLine line) =>
        $"{line.Place} stays on its own filesystem: line {line.Number} of /etc/fstab mounts it in each root that has the line";

    /// <summary>Says what a tree has of one machine, and how to commit it without.</summary>
    internal static string Traces(IReadOnlyList<FoundTraces> found)
    {
        IEnumerable<string> kinds = found.Select(some => $"{some.Name} ({some.First}{(some.Files == 1 ? "" : $" and {some.Files - 1} more")})");
        return $"the tree has what belongs to one machine, and each copy of the image will have it too: {string.Join(", ", kinds)}; "
            + "`hacktree commit --seal` makes a commit without";
    }

    /// <summary>Says which lines of a tree's fstab name partitions that a new disk does not have.</summary>
    internal static string Foreign(IReadOnlyList<FstabLine> lines)
    {
        string numbers = $"{(lines.Count == 1 ? "line" : "lines")} {string.Join(", ", lines.Select(line => line.Number))}";
        string names = string.Join(", ", lines.Select(line => line.Name).Distinct());
        return $"/etc/fstab of the tree, {numbers} ({names}): partitions that the new disk lacks; the system would wait 90 s for each at its start "
            + "and could stop in emergency mode; take the lines out, or give them the option nofail";
    }
}
