using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// Finds the commit that made a machine bad, by roots on trial: one at a time, the commit in the middle of those that may be the first bad one.
/// </summary>
/// <remarks>
/// A root is tried once. If its system starts and its health checks end with 0, `hacktree good` says so there, and goes on with the next root. The
/// default stays what it was. A root that does not come so far falls back to the default, as every root on trial does, and <see cref="Step"/> goes on
/// there. Each step can be done again after a power cut: what is known is in <see cref="BisectState"/>, what is on trial in the boot loader's files.
/// One object has the right to change the state, by a lock, until it is disposed of.
/// </remarks>
public sealed class Bisect : IDisposable
{
    private readonly ObjectStore store;
    private readonly BootableRoots roots;
    private readonly SafeFileHandle turn;
    private readonly List<string> left = [];
    private BisectState? state;

    private Bisect(ObjectStore store)
    {
        this.store = store;
        roots = new BootableRoots(store);
        string folder = Path.GetDirectoryName(BisectState.PathIn(roots.Physical))!;
        Directory.CreateDirectory(folder);
        turn = OpenPath.Directory(folder);
        Sys.Lock(turn, LockKind.Exclusive, wait: true).ThrowIfFailed("flock", folder);
        state = BisectState.Read(roots.Physical);
    }

    /// <summary>What is known; null if no bisect was begun.</summary>
    public BisectState? State => state;

    /// <summary>Why roots that were made for the bisect could not be removed: a sentence for each.</summary>
    public IReadOnlyList<string> Left => left;

    private BisectState Known => state ?? throw new StoreException("there is no bisect; `hacktree bisect GOOD BAD` begins one");

    private string CheckPath => BisectState.PathIn(roots.Physical) + "-check";

    /// <summary>Takes the right to change the bisect of a store's machine. Waits for another process that has it.</summary>
    public static Bisect Open(ObjectStore store) => new(store);

    /// <summary>What is known of the bisect of a store's machine; null if none was begun.</summary>
    public static BisectState? Find(ObjectStore store) => BisectState.Read(store.PhysicalRoot);

    /// <summary>The search of a state.</summary>
    public static BisectSearch SearchOf(ObjectStore store, BisectState state) => new(BisectSearch.Between(store, state.Good, state.Bad), state.Verdicts);

    /// <summary>Whether a bisect is at work: it searches, or waits to remove its roots.</summary>
    public static bool IsAtWork(ObjectStore store, BisectState state) => state.Roots.Count > 0 || !SearchOf(store, state).Next.IsNone;

    /// <summary>Throws <see cref="StoreException"/> if a bisect is at work. What it has on trial must not be replaced.</summary>
    public static void RequireNone(ObjectStore store)
    {
        if (Find(store) is { } state && IsAtWork(store, state))
        {
            throw new StoreException("a bisect is at work here; `hacktree bisect status` shows it, and `hacktree bisect abort` ends it");
        }
    }

    /// <summary>Begins a bisect. <see cref="Step"/> must come next.</summary>
    /// <param name="good">A good commit.</param>
    /// <param name="bad">A bad one that comes from it.</param>
    /// <param name="check">A program that each root must end with 0 beside its own checks; null for none.</param>
    /// <param name="reboots">Whether the machine is to restart by itself after each step.</param>
    public void Begin(Digest good, Digest bad, byte[]? check, bool reboots)
    {
        if (state is not null)
        {
            RequireNone(store);
        }

        if (good == bad)
        {
            throw new StoreException($"{good.ToShortString()} cannot be both good and bad");
        }

        _ = BisectSearch.Between(store, good, bad);
        var choice = BootChoice.Read(roots.Physical);
        if (choice.Trial is { } trial && (trial == roots.FindRunning() || choice.IsOnTrial(trial)))
        {
            throw new StoreException($"{trial} is on trial already", new Remedy.EndTrial());
        }

        if (StagedRoot.Find(roots.Physical) is { } staged)
        {
            throw new StoreException($"{staged.Root} is staged, and would be tried next; `hacktree rollback` ends that");
        }

        roots.Require(choice.Default);
        roots.RequireOwnEtc(choice.Default);
        File.Delete(CheckPath);
        if (check is not null)
        {
            OpenPath.Replace(CheckPath, check, FileModes.PrivateFile);
        }

        new BisectUnit(roots.PathOf(choice.Default)).Add();
        Write(new BisectState { Default = choice.Default, Reboots = reboots, Good = good, Bad = bad });
    }

    /// <summary>Notes what the checks of the running root say, and ends its trial. False if it is not the one that is being tried.</summary>
    public bool Judge(string running, string? fault)
    {
        if (state?.Trial is not { } trial || trial.Name != running)
        {
            return false;
        }

        Settle(trial, fault);
        return true;
    }

    /// <summary>
    /// Does what is next, which may be nothing: finds out what became of the root that was tried, and puts the next one on trial, or tidies up at the
    /// end. True if the machine must restart now: to try a root, or to leave the last one that was tried.
    /// </summary>
    public bool Step(Progress? progress = null)
    {
        if (Known.Trial is { } trial)
        {
            var choice = BootChoice.Read(roots.Physical);
            if (trial.Name == roots.FindRunning() || choice.IsOnTrial(trial.Name))
            {
                return false;
            }

            SettleByLoader(choice, trial);
        }

        for (Digest next; !(next = SearchOf(store, Known).Next).IsNone;)
        {
            if (TryOut(next, progress))
            {
                return true;
            }
        }

        return Finish();
    }

    /// <summary>Ends the bisect, found or not: the default boots, and the roots that were made go.</summary>
    public void Abort()
    {
        KeepDefault();
        _ = RemoveRoots();
        new BisectUnit(roots.PathOf(Known.Default)).Remove();
        File.Delete(CheckPath);
        File.Delete(BisectState.PathIn(roots.Physical));
        state = null;
    }

    public void Dispose() => turn.Dispose();

    /// <summary>Finds out from the boot loader what became of a root that is not on trial any more.</summary>
    private void SettleByLoader(BootChoice choice, BisectRoot trial)
    {
        string? fault = new TrialFaults(roots.Physical).Find(trial.Name);
        if (choice.Trial == trial.Name || fault is not null)
        {
            Settle(trial, fault ?? TrialFaults.Silent);
        }
        else if (choice.Default == trial.Name)
        {
            // Somebody, or a program that knows no bisect, said in that root that it is good.
            Settle(trial, null);
        }
        else
        {
            // It was never tried: the deploy was cut short, or somebody ended the trial.
            Write(Known with { Trial = null });
        }
    }

    private void Settle(BisectRoot trial, string? fault)
    {
        Write(Known.With(new BisectVerdict(trial.Commit, fault)));
        KeepDefault();
    }

    /// <summary>Ends the trial of a root of the bisect, and makes the root the default that was it before.</summary>
    private void KeepDefault()
    {
        var choice = BootChoice.Read(roots.Physical);
        if (Known.Roots.Any(root => root.Name == choice.Default || root.Name == choice.Trial))
        {
            choice.Choose(Known.Default);
        }
    }

    /// <summary>Puts a commit on trial. False if it could not boot, which makes it a bad one.</summary>
    private bool TryOut(Digest commit, Progress? progress)
    {
        Write(Known with { Roots = RemoveRoots() });
        left.Clear();
        string? check = File.Exists(CheckPath) ? CheckPath : null;
        var request = new DeployRequest(commit, commit.ToShortString(), Tries: 1, Force: false) { Bisect = new BisectTrial(Known.Default, check) };
        try
        {
            DeployPlan plan = Deployment.Plan(store, request);
            var root = new BisectRoot(plan.Name, commit);
            Write(Known with { Roots = [.. Known.Roots, root], Trial = root });
            _ = Deployment.Run(store, request, plan, progress);
            return true;
        }
        catch (UnbootableException e)
        {
            Write(Known.With(new BisectVerdict(commit, e.Message)));
            return false;
        }
    }

    /// <summary>Tidies up. True if the machine must leave the running root for that.</summary>
    private bool Finish()
    {
        KeepDefault();
        if (Known.Roots.Any(root => root.Name == roots.FindRunning()))
        {
            return true;
        }

        _ = RemoveRoots();
        new BisectUnit(roots.PathOf(Known.Default)).Remove();
        File.Delete(CheckPath);
        Write(Known with { Roots = [] });
        return false;
    }

    /// <summary>Removes the roots that were made, except one that is running. Returns those that are still there.</summary>
    private List<BisectRoot> RemoveRoots()
    {
        var kept = new List<BisectRoot>();
        string? running = roots.FindRunning();
        foreach (BisectRoot root in Known.Roots.Where(IsOurs))
        {
            try
            {
                if (root.Name == running)
                {
                    throw new StoreException("it is the running root");
                }

                roots.Remove(root.Name);
            }
            catch (Exception e) when (e is StoreException or LinuxException)
            {
                kept.Add(root);
                left.Add($"{root.Name} stays: {e.Message}");
            }
        }

        return kept;
    }

    private bool IsOurs(BisectRoot root)
    {
        UnrecordedRoot.Complete(store, roots.PathOf(root.Name));
        return roots.RecordOf(root.Name)?.Commit == root.Commit;
    }

    private void Write(BisectState changed)
    {
        changed.Write(roots.Physical);
        state = changed;
    }
}
