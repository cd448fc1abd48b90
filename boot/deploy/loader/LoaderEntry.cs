using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace HackTree.Boot;

/// <summary>
/// The entry of a root in /loader/entries of the EFI system partition, after the Boot Loader Specification
/// (https://uapi-group.org/specifications/specs/boot_loader_specification/, "Type #1"):
/// <code>
/// r1+2-1.conf                     2 tries are left and 1 was used; the loader renames the file before each. A root that is good has r1.conf.
///                                 r1-1.conf is that of a changed entry, which never takes the name of a file that is there
///
/// title r1
/// sort-key 0-hacktree             the same in all entries of roots, and before those of other systems
/// version 7                       the rank: of entries with one sort-key, the highest version comes first
/// linux /hacktree/DIGEST/vmlinuz-6.1.0-9-amd64
/// initrd /hacktree/DIGEST/initrd.img-6.1.0-9-amd64
/// initrd /hacktree/DIGEST/hacktree.cpio.gz
/// options root=UUID=... ro subroot=r1 subroot.trial subroot.fallback=r0 panic=10
/// </code>
/// The loader starts the first entry. Entries with no tries left come last.
/// </summary>
internal sealed partial record LoaderEntry
{
    private const string SortKey = "0-hacktree";
    private const string RootOption = "subroot=";
    private const string TrialOption = "subroot.trial";
    private const string FallbackOption = "subroot.fallback=";
    private const string PanicOption = "panic=10";
    private const string Extension = ".conf";

    private static readonly string[] KnownKeys = ["title", "sort-key", "version", "linux", "initrd", "options"];

    /// <summary>The root's name.</summary>
    internal required string Root { get; init; }

    /// <summary>How late the root was chosen or tried: a later time has a higher rank. 0 if it never was.</summary>
    internal long Rank { get; init; }

    /// <summary>How many tries are left; null if the entry counts none.</summary>
    internal int? TriesLeft { get; init; }

    /// <summary>How many tries the loader has counted down.</summary>
    internal int TriesUsed { get; init; }

    /// <summary>The root that a failed trial falls back to; null if the root is not on trial.</summary>
    internal string? Fallback { get; init; }

    /// <summary>The path of the kernel on the partition.</summary>
    internal required string Kernel { get; init; }

    /// <summary>The paths of the parts of its initrd.</summary>
    internal required IReadOnlyList<string> Initrds { get; init; }

    /// <summary>The kernel's options, except those that tell of the root and of a trial.</summary>
    internal required string Options { get; init; }

    /// <summary>Lines with other keys, such as devicetree.</summary>
    internal IReadOnlyList<string> OtherLines { get; init; } = [];

    /// <summary>The name of the file that the entry was read from; empty for a new one.</summary>
    internal string ReadFrom { get; init; } = "";

    /// <summary>Whether the entry was read from a file with one of <see cref="FileNames"/>, and not from one that somebody else named.</summary>
    internal bool HasOwnName
    {
        get
        {
            int end = Counter().Match(ReadFrom) is { Success: true } counter ? counter.Index : Math.Max(ReadFrom.Length - Extension.Length, 0);
            string name = ReadFrom[..end];
            return name.StartsWith(Root, StringComparison.OrdinalIgnoreCase)
                && (name.Length == Root.Length || (name[Root.Length] == '-' && name[(Root.Length + 1)..].All(char.IsAsciiDigit)));
        }
    }

    /// <summary>The names that a file of the entry may have, without end.</summary>
    internal IEnumerable<string> FileNames
    {
        get
        {
            string used = TriesUsed > 0 ? string.Create(CultureInfo.InvariantCulture, $"-{TriesUsed}") : "";
            string counter = TriesLeft is { } tries ? string.Create(CultureInfo.InvariantCulture, $"+{tries}{used}") : "";
            yield return $"{Root}{counter}{Extension}";
            for (int number = 1; ; number++)
            {
                yield return string.Create(CultureInfo.InvariantCulture, $"{Root}-{number}{counter}{Extension}");
            }
        }
    }

    /// <summary>The text of the file.</summary>
    internal string Text
    {
        get
        {
            string trial = Fallback is null ? "" : $" {OptionsOfTrial(Fallback)}";
            var text = new StringBuilder();
            _ = text.Append(CultureInfo.InvariantCulture, $"title {Root}\nsort-key {SortKey}\nversion {Rank}\nlinux {Kernel}\n");
            _ = text.AppendJoin("", Initrds.Select(initrd => $"initrd {initrd}\n"));
            _ = text.Append(CultureInfo.InvariantCulture, $"options {Options} {RootOption}{Root}{trial}\n");
            return text.AppendJoin("", OtherLines.Select(line => $"{line}\n")).ToString();
        }
    }

    /// <summary>The options that a start of a root on trial has beside the root's own.</summary>
    /// <param name="fallback">The root to fall back to.</param>
    internal static string OptionsOfTrial(string fallback) => $"{TrialOption} {FallbackOption}{fallback} {PanicOption}";

    /// <summary>Reads an entry. Null if the entry boots no root.</summary>
    internal static LoaderEntry? Read(string fileName, string text)
    {
        var lines = text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Where(line => !line.StartsWith('#'))
            .Select(line => (Line: line, Fields: line.Split([' ', '\t'], 2, StringSplitOptions.TrimEntries)))
            .Where(line => line.Fields.Length == 2)
            .ToLookup(line => line.Fields[0], line => (Value: line.Fields[1], line.Line));
        IEnumerable<string> Values(string key) => lines[key].Select(line => line.Value);
        var words = Values("options").SelectMany(value => value.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToList();
        string? root = words.FindLast(word => word.StartsWith(RootOption, StringComparison.Ordinal))?[RootOption.Length..];
        if (root is null || !ImageLayout.IsRootName(root) || Values("linux").LastOrDefault() is not { } kernel)
        {
            return null;
        }

        // An entry that HackTree has not ordered comes after those that it has.
        Match counter = Counter().Match(fileName);
        bool isOrdered = Values("sort-key").LastOrDefault() == SortKey;
        return new LoaderEntry
        {
            Root = root,
            Rank = isOrdered && long.TryParse(Values("version").LastOrDefault(), NumberStyles.None, CultureInfo.InvariantCulture, out long rank) ? rank : 0,
            TriesLeft = NumberIn(counter.Groups[1]),
            TriesUsed = NumberIn(counter.Groups[2]) ?? 0,
            Fallback = TakeTrial(words),
            Kernel = kernel,
            Initrds = [.. Values("initrd")],
            Options = string.Join(' ', words.Where(word => !word.StartsWith(RootOption, StringComparison.Ordinal))),
            OtherLines = [.. lines.Where(line => !KnownKeys.Contains(line.Key)).SelectMany(group => group.Select(line => line.Line))],
            ReadFrom = fileName,
        };
    }

    /// <summary>Takes the options of a trial out of the words: the last ones, as of the option for the root. Returns the root to fall back to.</summary>
    private static string? TakeTrial(List<string> words)
    {
        for (int at = words.Count - 3; at >= 0; at--)
        {
            if (words[at] == TrialOption && words[at + 1].StartsWith(FallbackOption, StringComparison.Ordinal) && words[at + 2] == PanicOption)
            {
                string fallback = words[at + 1][FallbackOption.Length..];
                words.RemoveRange(at, 3);
                return fallback;
            }
        }

        return null;
    }

    private static int? NumberIn(Group digits) =>
        int.TryParse(digits.ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;

    [GeneratedRegex(@"\+([0-9]+)(?:-([0-9]+))?\.conf$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Counter();
}
