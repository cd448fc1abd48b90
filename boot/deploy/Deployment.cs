using System.Globalization;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>What to deploy.</summary>
/// <param name="Commit">The commit.</param>
/// <param name="Revision">The commit as the user named it.</param>
/// <param name="Tries">How many times the loader starts the root before it falls back.</param>
/// <param name="Force">Whether a root whose own hacktree does not work may be tried.</param>
public sealed record DeployRequest(Digest Commit, string Revision, int Tries, bool Force)
{
    /// <summary>Whether text files of /etc that were changed here and by the commit are merged line by line, where that is clean.</summary>
    public bool MergesText { get; init; }

    /// <summary>Whether the root is an image that is mounted at boot, and not a tree of hardlinks.</summary>
    public bool IsImage { get; init; }

    /// <summary>What a bisect asks of the root; null if none asks for it.</summary>
    public BisectTrial? Bisect { get; init; }
}

/// <summary>What a root that a bisect tries gets beside the rest.</summary>
/// <param name="EtcFrom">The root whose /etc is carried over. A root that was tried before has an /etc that was merged already.</param>
/// <param name="Check">The path of a program that becomes one of the root's <see cref="HealthChecks"/>; null for none.</param>
public sealed record BisectTrial(string EtcFrom, string? Check);

/// <summary>What a deploy will do.</summary>
/// <param name="Name">The name of the new root.</param>
/// <param name="Kernel">The kernel that it will boot.</param>
/// <param name="Space">What the root takes on the disk, at most; without an initrd that is yet to be made.</param>
/// <param name="InitrdSpace">What making the initrd takes on the disk meanwhile, about; null if the commit has one.</param>
/// <param name="Program">The path of the commit's own hacktree; null if it has none, and that is forced.</param>
/// <param name="Spare">The name of the root that is turned into the new one; null if that is made anew.</param>
public sealed record DeployPlan(string Name, RootKernel Kernel, RootSpace Space, RootSpace? InitrdSpace, string? Program, string? Spare);

/// <summary>
/// Makes a commit the root on trial. The order is what makes it safe: the root is made, proved and synced first. Until the last step, one
/// write of the boot loader's files, the machine boots what it booted before, and a root that was made and not tried is a root like others.
/// </summary>
public static class Deployment
{
    private static readonly string[] Programs = ["usr/bin/hacktree", "usr/local/bin/hacktree"];

    /// <summary>Says what <see cref="Run"/> will do, and changes nothing. Throws <see cref="StoreException"/> if the commit could not boot here.</summary>
    public static DeployPlan Plan(ObjectStore store, DeployRequest request)
    {
        var roots = new BootableRoots(store);
        string physical = roots.Physical;
        var choice = BootChoice.Read(physical);
        RequireNoOpenTrial(roots, choice);
        Commit commit = store.Packs.ReadCommit(request.Commit);
        var kernel = RootKernel.Require(store, commit, request.Revision, Path.Combine(physical, ImageLayout.Boot));
        RequireInit(store, commit, request.Revision);
        string? program = Array.Find(Programs, path => Find(store, commit, path) is EntryKind.Regular);
        if (program is null && !request.Force)
        {
            throw new UnbootableException(
                $"{request.Revision} has no hacktree in /usr/bin or /usr/local/bin, so a root of it can neither say that it is good nor be updated; "
                + "--force deploys it all the same");
        }

        var space = RootSpace.Of(store, request.Commit, request.IsImage ? kernel.Version : null);
        RootSpace? initrdSpace = kernel.Maker is null ? null : MadeInitrd.SpaceFor(store, commit, space, kernel.Version);
        space.Require(physical, request.Revision, initrdSpace);
        choice.RequireSpace(kernel.FilesOf(store, commit, physical));
        return new DeployPlan(FreeName(physical), kernel, space, initrdSpace, program, request.Bisect is null && !request.IsImage ? roots.FindSpare() : null);
    }

    /// <summary>Says what <see cref="Run"/> will do with /etc, and changes nothing in the roots.</summary>
    public static CarriedEtc ForeseeEtc(ObjectStore store, DeployRequest request)
    {
        var roots = new BootableRoots(store);
        return CarriedEtc.Foresee(roots, store, BootChoice.Read(roots.Physical).Default, request);
    }

    /// <summary>
    /// Deploys, and tells what became of /etc. Throws <see cref="UnbootableException"/> if the new root could not boot; then it is removed again.
    /// </summary>
    public static CarriedEtc Run(ObjectStore store, DeployRequest request, DeployPlan plan, Progress? progress = null)
    {
        CarriedEtc etc = Make(store, request, plan, mergesEtc: true, progress);
        StartTrial(store.PhysicalRoot, plan.Name, request.Tries);
        return etc;
    }

    /// <summary>
    /// Makes and proves the new root like <see cref="Run"/>. It goes on trial, with the /etc of that moment, by <see cref="FinishStaged"/>, which must be
    /// called before the machine shuts down (<see cref="StageUnit"/>). What was staged before stays a root like others.
    /// </summary>
    public static void Stage(ObjectStore store, DeployRequest request, DeployPlan plan, Progress? progress = null)
    {
        _ = Make(store, request, plan, mergesEtc: false, progress);
        BootChoice.SyncDisk(store.PhysicalRoot);
        new StagedRoot(StagedRoot.ThisBoot, plan.Name, request.Commit, request.Tries, request.MergesText).Write(store.PhysicalRoot);
    }

    /// <summary>Puts the staged root on trial. Answers its name and what became of /etc; null if nothing is staged. After a kill it can be run again.</summary>
    public static (string Root, CarriedEtc Etc)? FinishStaged(ObjectStore store)
    {
        var roots = new BootableRoots(store);
        if (StagedRoot.Find(roots.Physical) is not { } staged)
        {
            return null;
        }

        if (roots.RecordOf(staged.Root)?.Commit != staged.Commit)
        {
            throw new StoreException($"{staged.Root}, which is staged, is not the root any more that it was then; `hacktree deploy` makes another");
        }

        var choice = BootChoice.Read(roots.Physical);
        RequireNoOpenTrial(roots, choice);
        var request = new DeployRequest(staged.Commit, staged.Commit.ToShortString(), staged.Tries, Force: false) { MergesText = staged.MergesText };
        var etc = CarriedEtc.Into(roots, store, choice.Default, request, staged.Root);
        roots.Place(choice, staged.Root);
        StartTrial(roots.Physical, staged.Root, staged.Tries);
        return (staged.Root, etc);
    }

    /// <summary>Makes the new root and proves it. What boots stays as it is.</summary>
    private static CarriedEtc Make(ObjectStore store, DeployRequest request, DeployPlan plan, bool mergesEtc, Progress? progress)
    {
        var roots = new BootableRoots(store);
        string physical = roots.Physical, path = roots.PathOf(plan.Name);
        var choice = BootChoice.Read(physical);
        CheckoutMethod method = request.IsImage ? CheckoutMethod.Image : CheckoutMethod.Hardlink;
        using (MadeInitrd? initrd = plan.Kernel.Maker is { } maker ? MadeInitrd.Make(store, request, plan.Kernel.Version, maker) : null)
        {
            MakeRoot(store, roots, request, plan, new CheckoutOptions { Boot = true, Method = method, Initrd = initrd?.Path, Progress = progress });
        }

        try
        {
            CarriedEtc etc = mergesEtc ? CarriedEtc.Into(roots, store, choice.Default, request, plan.Name) : new CarriedEtc(null, []);
            if (request.Bisect?.Check is { } check)
            {
                HealthChecks.Add(path, check);
            }

            Prove(store, physical, request, plan);
            choice.Place(plan.Name, plan.Kernel.PathIn(physical, plan.Name), plan.Kernel.InitrdIn(physical, plan.Name));
            return etc;
        }
        catch
        {
            RootRemoval.Run(store, path);
            throw;
        }
    }

    /// <summary>Makes the new root of the spare one. If that became impossible, the new root is made anew.</summary>
    private static void MakeRoot(ObjectStore store, BootableRoots roots, DeployRequest request, DeployPlan plan, CheckoutOptions options)
    {
        string path = roots.PathOf(plan.Name);
        try
        {
            if (plan.Spare is not null && roots.FindSpares().Contains(plan.Spare))
            {
                _ = roots.Advance(roots.PathOf(plan.Spare), request.Commit, request.Revision, path, options);
                return;
            }
        }
        catch (Exception e) when (e is StoreException or LinuxException && !Path.Exists(path))
        {
            // An immutable file in the spare root, for example. What cannot be made at all fails again.
        }

        _ = RootBuilder.Run(store, request.Commit, request.Revision, path, options);
    }

    private static void StartTrial(string physical, string root, int tries)
    {
        BootChoice.SyncDisk(physical);
        new TrialFaults(physical).Remove(root);
        BootChoice.Read(physical).Try(root, tries);
        StagedRoot.Forget(physical);
    }

    private static void RequireNoOpenTrial(BootableRoots roots, BootChoice choice)
    {
        if (choice.Trial is { } trial && trial == roots.FindRunning())
        {
            throw new StoreException($"{trial}, the running root, is on trial itself and was not found good yet", new Remedy.EndTrial());
        }
    }

    private static void RequireInit(ObjectStore store, Commit commit, string revision)
    {
        if (Find(store, commit, "usr/sbin/init") is null && Find(store, commit, "sbin/init") is null)
        {
            throw new UnbootableException($"{revision} has no /sbin/init, so it cannot boot");
        }
    }

    private static EntryKind? Find(ObjectStore store, Commit commit, string path) =>
        TreeWalk.TryFind(store.Packs, commit, ByteText.FromArgument(path), out TreeEntry entry) ? entry.Kind : null;

    /// <summary>The first of r0, r1, ... that nothing has, not even unfinished.</summary>
    private static string FreeName(string physical) =>
        Enumerable.Range(0, int.MaxValue).Select(number => string.Create(CultureInfo.InvariantCulture, $"r{number}"))
            .First(name => !Path.Exists(Path.Combine(physical, name)) && !Path.Exists(Roots.PartialPath(Path.Combine(physical, name))));

    /// <summary>Throws <see cref="UnbootableException"/> if the new root's initrd cannot enter a root, or if its program cannot update it.</summary>
    private static void Prove(ObjectStore store, string physical, DeployRequest request, DeployPlan plan)
    {
        if (!plan.Kernel.IsShared)
        {
            ProveInitrd(plan.Kernel.InitrdIn(physical, plan.Name), store.Stop);
        }

        if (plan.Program is { } program && !request.Force)
        {
            ProveProgram(store, request, plan.Name, program);
        }
    }

    private static void ProveInitrd(string initrd, CancellationToken stop)
    {
        try
        {
            InitrdPatch.Require(initrd, initrd, stop);
        }
        catch (InitrdException e)
        {
            throw new UnbootableException(e.Message);
        }
    }

    /// <summary>
    /// Has the new root's own program open this store, in a mount namespace of its own. An update that broke the updater could not be undone from the
    /// new root.
    /// </summary>
    private static void ProveProgram(ObjectStore store, DeployRequest request, string root, string program)
    {
        ProgramRun run = RootProgram.Run(store, root, program, "roots");
        if (!run.Succeeded || !run.Output.Contains(root, StringComparison.Ordinal))
        {
            throw new UnbootableException(
                $"the /{program} of the new root does not find its root in this store ({run.LastWords}), so that root could not be updated; "
                + "--force deploys it all the same");
        }

        if (request.Bisect is not null && !RootProgram.Run(store, root, program, "bisect status").Succeeded)
        {
            throw new StoreException($"the /{program} of {request.Revision} knows no bisect, so a root of it would not tell whether it is good");
        }
    }
}
