using System.Text;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>What a try of a commit has shown.</summary>
/// <param name="Commit">The commit.</param>
/// <param name="Fault">Why it is bad; null if it is good.</param>
public sealed record BisectVerdict(Digest Commit, string? Fault);

/// <summary>A root that was made to try a commit.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Commit">The commit.</param>
public sealed record BisectRoot(string Name, Digest Commit);

/// <summary>
/// What a bisect knows, in the file var/lib/hacktree/bisect of the physical root. So it survives each restart, whichever root boots. docs/files.md has
/// the format: a first line with a version, then lines of a word and its values.
/// </summary>
public sealed record BisectState
{
    private const string Head = "hacktree-bisect 1";

    /// <summary>The root that booted before, and boots again at the end.</summary>
    public required string Default { get; init; }

    /// <summary>Whether the machine restarts by itself after each step.</summary>
    public required bool Reboots { get; init; }

    /// <summary>The commit that was called good.</summary>
    public required Digest Good { get; init; }

    /// <summary>The commit that was called bad.</summary>
    public required Digest Bad { get; init; }

    /// <summary>What the tries have shown, in their order.</summary>
    public IReadOnlyList<BisectVerdict> Verdicts { get; init; } = [];

    /// <summary>The roots that were made and not removed yet.</summary>
    public IReadOnlyList<BisectRoot> Roots { get; init; } = [];

    /// <summary>The root that is being tried, one of <see cref="Roots"/>; null if none is.</summary>
    public BisectRoot? Trial { get; init; }

    /// <summary>The state with one verdict more, and no root that is being tried.</summary>
    internal BisectState With(BisectVerdict verdict) => this with { Verdicts = [.. Verdicts, verdict], Trial = null };

    /// <summary>The path of the file.</summary>
    internal static string PathIn(string physical) => Path.Combine(physical, "var/lib/hacktree/bisect");

    /// <summary>Reads the file; null if there is none. Throws <see cref="CorruptException"/> if it is not as it is written.</summary>
    internal static BisectState? Read(string physical)
    {
        string path = PathIn(physical);
        if (!File.Exists(path))
        {
            return null;
        }

        string text = File.ReadAllText(path, Encoding.UTF8);
        return TryParse(text) is { } state && state.ToText() == text ? state : throw new CorruptException(path, "it is not a bisect of this version", null);
    }

    /// <summary>Writes the file, durably; it has the old text or the new one at each moment.</summary>
    internal void Write(string physical)
    {
        string path = PathIn(physical);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        OpenPath.Replace(path, Encoding.UTF8.GetBytes(ToText()), FileModes.PublicFile);
    }

    private string ToText()
    {
        List<string> lines = [Head, $"default {Default}", $"reboot {(Reboots ? "yes" : "no")}", $"from {Good}", $"to {Bad}"];
        lines.AddRange(Verdicts.Select(verdict => verdict.Fault is { } fault ? $"bad {verdict.Commit} {OneLine(fault)}" : $"good {verdict.Commit}"));
        lines.AddRange(Roots.Select(root => $"root {root.Name} {root.Commit}"));
        if (Trial is { } trial)
        {
            lines.Add($"trial {trial.Name}");
        }

        return string.Concat(lines.Select(line => line + "\n"));
    }

    /// <summary>Reads as much as is right. What is more, or in another order, is found by writing the state again.</summary>
    private static BisectState? TryParse(string text)
    {
        string[][] lines = [.. text.Split('\n').Select(line => line.Split(' ', 3))];
        if (lines.Length < 5 || lines.Take(5).Any(line => line.Length != 2)
            || !Digest.TryParse(lines[3][1], out Digest good)
            || !Digest.TryParse(lines[4][1], out Digest bad))
        {
            return null;
        }

        var state = new BisectState { Default = lines[1][1], Reboots = lines[2][1] == "yes", Good = good, Bad = bad };
        foreach (string[] line in lines.Skip(5))
        {
            state = line switch
            {
                ["good", var commit] when Digest.TryParse(commit, out Digest digest) => state.With(new BisectVerdict(digest, null)),
                ["bad", var commit, var fault] when Digest.TryParse(commit, out Digest digest) => state.With(new BisectVerdict(digest, fault)),
                ["root", var name, var commit] when Digest.TryParse(commit, out Digest digest) =>
                    state with { Roots = [.. state.Roots, new BisectRoot(name, digest)] },
                ["trial", var name] => state with { Trial = state.Roots.FirstOrDefault(root => root.Name == name) },
                _ => state,
            };
        }

        return state;
    }

    private static string OneLine(string text) => string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));
}
