using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>Something wrong in a store.</summary>
/// <param name="Path">The file, below the store.</param>
/// <param name="What">What is wrong with it.</param>
/// <param name="NeededBy">One ref or root that needs it, and as what, where that is known: "debian/bookworm as usr/bin/ls".</param>
public sealed record Problem(string Path, string What, string? NeededBy = null)
{
    /// <summary>One sentence.</summary>
    public override string ToString() => NeededBy is null ? $"{Path}: {What}" : $"{Path}: {What}; needed by {NeededBy}";
}

/// <summary>What fsck looked at and found.</summary>
public sealed record CheckResult
{
    /// <summary>Objects read and compared.</summary>
    public long Objects { get; internal set; }

    /// <summary>Bytes of their content.</summary>
    public long Bytes { get; internal set; }

    /// <summary>Packs read.</summary>
    public int Packs { get; internal set; }

    /// <summary>Trees in packs, each place counted.</summary>
    public long Trees { get; internal set; }

    /// <summary>Commits in packs, each place counted.</summary>
    public long Commits { get; internal set; }

    /// <summary>Refs.</summary>
    public int Refs { get; internal set; }

    /// <summary>Records of roots.</summary>
    public int Roots { get; internal set; }

    /// <summary>How many problems were found.</summary>
    public int Problems { get; internal set; }

    /// <summary>What is worth knowing and no problem, one sentence each.</summary>
    public IReadOnlyList<string> Notes { get; internal set; } = [];
}

/// <summary>Gathers what the parts of fsck find. Thread-safe; problems are handed on one at a time.</summary>
internal sealed class CheckReport(string storePath, Action<Problem> onProblem)
{
    private readonly Lock gate = new();
    private readonly List<string> notes = [];

    /// <summary>The counts; change them only in <see cref="Count"/>.</summary>
    internal CheckResult Result { get; } = new();

    internal void Count(Action<CheckResult> change)
    {
        lock (gate)
        {
            change(Result);
        }
    }

    internal void Add(Problem problem)
    {
        lock (gate)
        {
            Result.Problems++;
            onProblem(problem);
        }
    }

    internal void Add(string path, string what, string? neededBy = null) => Add(new Problem(path, what, neededBy));

    /// <summary>Adds what an exception says of a file.</summary>
    internal void Add(string path, Exception e, string? neededBy = null) => Add(path, Describe(path, e), neededBy);

    internal void Note(string note)
    {
        lock (gate)
        {
            notes.Add(note);
            Result.Notes = notes;
        }
    }

    /// <summary>Whether a part goes on after this: what it looked at is damaged or unreadable, the program is not.</summary>
    internal static bool IsFinding(Exception e) => e is StoreException or LinuxException;

    /// <summary>What an exception says of a file, without the file where that is <paramref name="path"/>.</summary>
    internal string Describe(string path, Exception e)
    {
        return e switch
        {
            LinuxException failed => $"{LinuxException.Describe(failed.Errno)} ({failed.Call})",
            CorruptException damage when damage.Subject == $"{storePath}/{path}" => damage.Fault,
            CorruptException damage => $"{System.IO.Path.GetRelativePath(storePath, damage.Subject)}: {damage.Fault}",
            _ => e.Message,
        };
    }

    /// <summary>A file name that may be anything, for a message.</summary>
    internal static string Show(string directory, ReadOnlySpan<byte> name) => $"{directory}/{ByteText.Quote(name)}";
}
