using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

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

    /// <summary>What is worth knowing and no problem.</summary>
    public IReadOnlyList<Finding> Notes { get; internal set; } = [];
}

/// <summary>Gathers what the parts of fsck find. Thread-safe; problems are handed on one at a time.</summary>
internal sealed class CheckReport(string storePath, Action<Finding> onProblem)
{
    private readonly Lock gate = new();
    private readonly List<Finding> notes = [];

    /// <summary>The counts; change them only in <see cref="Count"/>.</summary>
    internal CheckResult Result { get; } = new();

    internal void Count(Action<CheckResult> change)
    {
        lock (gate)
        {
            change(Result);
        }
    }

    internal void Add(Finding problem)
    {
        lock (gate)
        {
            Result.Problems++;
            onProblem(problem);
        }
    }

    internal void Note(Finding note)
    {
        lock (gate)
        {
            notes.Add(note);
            Result.Notes = notes;
        }
    }

    /// <summary>Whether a part goes on after this: what it looked at is damaged or unreadable, the program is not.</summary>
    internal static bool IsFinding(Exception e) => e is StoreException or LinuxException;

    /// <summary>Why <paramref name="path"/>, a file of the store, cannot be relied on: an exception's facts.</summary>
    internal Cause CauseOf(string path, Exception e) => e switch
    {
        LinuxException failed => new Cause.FailedCall(failed.Errno, failed.Call) { Path = PathOf(failed.Subject, path) },
        CorruptException damage => new Cause.Damage(damage.Fault, damage.Remedy is Remedy.CheckStore ? null : damage.Remedy) { Path = PathOf(damage.Subject, path) },
        _ => new Cause.Damage(e.Message),
    };

    /// <summary>The same of what is needed and was not found, or was found damaged; null where it is missing.</summary>
    internal Cause? CauseOfLoss(string path, Exception e) => e is CorruptException { IsMissing: true } ? null : CauseOf(path, e);

    /// <summary>A file name that may be anything, for a finding.</summary>
    internal static string Show(string directory, ReadOnlySpan<byte> name) => $"{directory}/{ByteText.Quote(name)}";

    private string? PathOf(string subject, string path) =>
        Roots.IsBelow(subject, storePath) && subject != $"{storePath}/{path}" ? Path.GetRelativePath(storePath, subject) : null;
}
