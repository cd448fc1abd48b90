using System.Globalization;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>What the root of an upgrade's commit is already, if there is one.</summary>
public enum UpgradeState
{
    /// <summary>No root of the commit was tried: it can be deployed.</summary>
    New,
    /// <summary>It runs, or it is the default.</summary>
    Current,
    /// <summary>It is on trial with tries left, or staged.</summary>
    OnTrial,
    /// <summary>Its trial failed.</summary>
    Failed,
    /// <summary>It was the default before, and somebody went back from it.</summary>
    LeftAgain,
}

/// <summary>
/// What an upgrade would deploy: the commit that a ref names now. A commit that failed, or that somebody went back from, is not deployed again by
/// itself, or a machine that upgrades unattended would try it each night.
/// </summary>
/// <param name="Ref">The ref.</param>
/// <param name="Commit">The commit.</param>
/// <param name="State">What its newest root is already.</param>
/// <param name="Root">The name of that root; null if there is none.</param>
public sealed record Upgrade(string Ref, Digest Commit, UpgradeState State, string? Root)
{
    /// <summary>Whether the running root, or else the default, is an image, so that the new root is to be one too.</summary>
    public bool IsImage { get; private init; }

    /// <summary>
    /// Whether nothing but a restart is missing: its root is on trial or staged, and was made since the machine started. A root that the boot loader did not
    /// start is no reason for one restart after the other.
    /// </summary>
    public bool WaitsForRestart { get; private init; }

    /// <summary>Finds out. Throws <see cref="StoreException"/> if there is no such ref.</summary>
    /// <param name="store">The store.</param>
    /// <param name="wanted">The ref; null for the one that the running root, or else the default, was made of.</param>
    public static Upgrade Find(ObjectStore store, string? wanted)
    {
        var roots = new BootableRoots(store);
        var choice = BootChoice.Read(roots.Physical);
        string? running = roots.FindRunning();
        string name = wanted ?? RefOf(store, roots, running ?? choice.Default);
        Digest commit = RefName.IsAllowed(name) ? store.Refs.Find(name) : default;
        if (commit.IsNone)
        {
            throw new StoreException($"{name}: there is no such ref", new Remedy.ListRefs());
        }

        (string Name, RootRecord Record)[] made = [.. roots.Recorded().Where(root => root.Record.Commit == commit)];
        if (Array.Find(made, root => root.Name == running || root.Name == choice.Default).Name is { } current)
        {
            return new Upgrade(name, commit, UpgradeState.Current, current);
        }

        var faults = new TrialFaults(roots.Physical);
        string? staged = StagedRoot.Find(roots.Physical)?.Root;
        foreach ((string root, RootRecord record) in made)
        {
            UpgradeState state = choice.IsOnTrial(root) || root == staged ? UpgradeState.OnTrial
                : root == choice.Trial || faults.Find(root) is not null ? UpgradeState.Failed
                : root == choice.Previous ? UpgradeState.LeftAgain
                : UpgradeState.New;
            if (state != UpgradeState.New)
            {
                bool isOfThisStart = record.Time >= DateTimeOffset.UtcNow.ToUnixTimeSeconds() - SecondsSinceStart();
                return new Upgrade(name, commit, state, root) { WaitsForRestart = state == UpgradeState.OnTrial && isOfThisStart };
            }
        }

        return new Upgrade(name, commit, UpgradeState.New, null) { IsImage = roots.RecordOf(running ?? choice.Default)?.Method == CheckoutMethod.Image };
    }

    private static long SecondsSinceStart() => long.Parse(File.ReadAllText("/proc/uptime").Split('.')[0], CultureInfo.InvariantCulture);

    private static string RefOf(ObjectStore store, BootableRoots roots, string root) =>
        roots.RecordOf(root)?.Revision is { } revision && RefName.IsAllowed(revision) && !store.Refs.Find(revision).IsNone
            ? revision
            : throw new StoreException($"{root} was made of no ref that is still there; name the ref to upgrade to", new Remedy.ListRefs());
}
