using HackTree.Linux;
using HackTree.Model;

namespace HackTree.Store;

/// <summary>What fsck looked at, and how many problems it found.</summary>
public sealed record CheckResult
{
    /// <summary>The number of objects that were compared.</summary>
    public long Objects { get; internal set; }

    /// <summary>How many of them were not read, because the kernel compares them with their digests whenever they are read (fs-verity).</summary>
    public long Measured { get; internal set; }

    /// <summary>Bytes of content of those objects.</summary>
    public long Bytes { get; internal set; }

    /// <summary>The number of packs that were read.</summary>
    public int Packs { get; internal set; }

    /// <summary>The number of trees in packs. A tree in two packs counts twice.</summary>
    public long Trees { get; internal set; }

    /// <summary>The number of commits in packs. A commit in two packs counts twice.</summary>
    public long Commits { get; internal set; }

    /// <summary>Refs.</summary>
    public int Refs { get; internal set; }

    /// <summary>Records of roots.</summary>
    public int Roots { get; internal set; }

    /// <summary>How many problems were found.</summary>
    public int Problems { get; internal set; }

    /// <summary>The refs and roots whose commits can be read.</summary>
    internal IReadOnlyList<(Holder Holder, Digest Commit)> Holders { get; set; } = [];

    /// <summary>Findings that are no problems, but worth knowing.</summary>
    public IReadOnlyList<Finding> Notes { get; internal set; } = [];
}

/// <summary>Gathers the findings of fsck's parts. Thread-safe; problems are passed on one at a time.</summary>
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

    /// <summary>
    /// Whether fsck goes on after this exception: something it read is damaged or unreadable. A lack of descriptors or memory tells nothing
    /// about the store.
    /// </summary>
    internal static bool IsFinding(Exception e) => e is StoreException || (e is LinuxException failed && !failed.Errno.IsShortage());

    /// <summary>Why a file of the store cannot be relied on: the facts of an exception.</summary>
    internal Cause CauseOf(string path, Exception e) => e switch
    {
        LinuxException failed => new Cause.FailedCall(failed.Errno, failed.Call) { Path = PathOf(failed.Subject, path) },
        CorruptException damage => new Cause.Damage(damage.Fault, RemedyBesides(damage)) { Path = PathOf(damage.Subject, path) },
        _ => new Cause.Damage(e.Message),
    };

    /// <summary>Why a needed thing cannot be relied on; null if it is missing.</summary>
    internal Cause? CauseOfLoss(string path, Exception e) => e is CorruptException { IsMissing: true } ? null : CauseOf(path, e);

    /// <summary>A file name, which may be any bytes, for a finding.</summary>
    internal static string Show(string directory, ReadOnlySpan<byte> name) => $"{directory}/{ByteText.Quote(name)}";

    private static Remedy? RemedyBesides(CorruptException damage) => damage.Remedy is Remedy.CheckStore or Remedy.HealObject ? null : damage.Remedy;

    private string? PathOf(string subject, string path) =>
        Roots.IsBelow(subject, storePath) && subject != $"{storePath}/{path}" ? Path.GetRelativePath(storePath, subject) : null;
}
