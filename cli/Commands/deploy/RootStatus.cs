using HackTree.Boot;
using HackTree.Store;

namespace HackTree.Cli;

/// <summary>What a root is to the boot loader.</summary>
/// <param name="Name">The root's name.</param>
/// <param name="Record">Its record; null if it has none.</param>
/// <param name="IsRunning">Whether this system runs on it.</param>
/// <param name="Choice">What the boot loader starts.</param>
/// <param name="Fault">Why it failed; null if it did not.</param>
/// <param name="IsStaged">Whether it goes on trial when the machine shuts down.</param>
internal sealed record RootStatus(string Name, RootRecord? Record, bool IsRunning, BootChoice Choice, string? Fault, bool IsStaged)
{
    /// <summary>The state of a root that nothing calls for.</summary>
    internal const string Spare = "spare";

    /// <summary>The state of every root that a menu offers.</summary>
    internal static List<RootStatus> All(BootableRoots roots, BootChoice choice)
    {
        string? running = roots.FindRunning();
        var faults = new TrialFaults(roots.Physical);
        string? staged = StagedRoot.Find(roots.Physical)?.Root;
        return [.. roots.Names().Select(name => new RootStatus(name, roots.RecordOf(name), name == running, choice, faults.Find(name), name == staged))];
    }

    internal bool IsDefault => Name == Choice.Default;

    internal bool IsRollback => Name == Choice.Previous && !IsDefault;

    internal bool IsPinned => Record?.State == RootState.Pinned;

    internal int TriesLeft => Name == Choice.Trial ? Choice.TriesLeft : 0;

    /// <summary>Whether its tries are used up. The last try may be running.</summary>
    internal bool IsFailed => Fault is not null || (Name == Choice.Trial && TriesLeft == 0 && !IsRunning);

    internal string? Why => Fault ?? (IsFailed ? TrialFaults.Silent : null);

    internal string Words => string.Join(", ", Parts().DefaultIfEmpty(Spare));

    private IEnumerable<string> Parts()
    {
        if (IsRunning)
        {
            yield return "running";
        }

        if (IsDefault)
        {
            yield return "default";
        }

        if (Name == Choice.Trial && !IsFailed)
        {
            yield return $"trial, {HumanText.Count(TriesLeft, "try", "tries")} left";
        }

        if (IsStaged)
        {
            yield return "staged";
        }

        if (IsFailed)
        {
            yield return "failed";
        }

        if (IsRollback)
        {
            yield return "rollback";
        }

        if (IsPinned)
        {
            yield return "pinned";
        }
    }
}
