using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// The roots that a boot menu can offer: the directories of the physical root with a usr/ in them. Those that this store made have a record; the root
/// of a converted disk has none.
/// </summary>
/// <param name="store">The store beside which they are.</param>
public sealed class BootableRoots(ObjectStore store)
{
    /// <summary>The path of the physical root: the directory that holds the store and the roots.</summary>
    public string Physical => store.PhysicalRoot;

    /// <summary>The names of the roots, in the order of their bytes.</summary>
    public IReadOnlyList<string> Names() =>
        [.. Directory.EnumerateDirectories(Physical).Select(path => Path.GetFileName(path)).Where(IsRoot).Order(StringComparer.Ordinal)];

    /// <summary>The path of a root.</summary>
    public string PathOf(string name) => Path.Combine(Physical, name);

    /// <summary>The record of a root; null if it has none.</summary>
    public RootRecord? RecordOf(string name) => store.Roots.FindByPath(PathOf(name));

    /// <summary>The roots that have a record, the latest first.</summary>
    public IReadOnlyList<(string Name, RootRecord Record)> Recorded() =>
        [.. Names()
            .Select(name => (Name: name, Record: RecordOf(name)!))
            .Where(root => root.Record is not null)
            .OrderByDescending(root => root.Record.Time)
            .ThenByDescending(root => root.Record.SealedAt)];

    /// <summary>Whether there is such a root.</summary>
    public bool IsRoot(string name) => ImageLayout.IsRootName(name) && Directory.Exists(Path.Combine(PathOf(name), "usr"));

    /// <summary>Throws <see cref="StoreException"/> if there is no such root.</summary>
    public void Require(string name)
    {
        if (!IsRoot(name))
        {
            throw new StoreException($"{name}: there is no such root beside the store; give the name of one, such as r1");
        }
    }

    /// <summary>
    /// Makes a root the default, ends any trial, and forgets what is staged. A root that the boot loader cannot start yet is made known to it first.
    /// </summary>
    public void Choose(BootChoice choice, string name)
    {
        Require(name);
        if (!choice.Offers(name))
        {
            Place(choice, name);
        }

        StagedRoot.Forget(Physical);
        choice.Choose(name);
    }

    /// <summary>Makes a root known to the boot loader, with the kernel that it boots.</summary>
    internal void Place(BootChoice choice, string name)
    {
        RootKernel kernel = KernelOf(name);
        choice.Place(name, kernel.PathIn(Physical, name), kernel.InitrdIn(Physical, name));
    }

    /// <summary>The kernel that a root boots. Throws <see cref="StoreException"/> if it has none, or no record.</summary>
    internal RootKernel KernelOf(string name)
    {
        RootRecord record = RecordOf(name) ?? throw new StoreException($"{name}: it has no record, so nothing tells which kernel it boots");
        return RootKernel.RequireOf(store, store.Packs.ReadCommit(record.Commit), name, Physical);
    }

    /// <summary>Throws <see cref="StoreException"/> if files below the root's /etc are the store's.</summary>
    public void RequireOwnEtc(string name)
    {
        if (RecordOf(name) is { OwnsEtc: false, Method: CheckoutMethod.Hardlink })
        {
            throw new StoreException($"{name}: it was made without --boot, so its /etc is the store's and cannot be changed");
        }
    }

    /// <summary>The root that this system runs on; null if it is none of these.</summary>
    public string? FindRunning()
    {
        // A root that is an image is mounted elsewhere than in its directory; the root of a converted disk has no record.
        string? path = RunningRoot.RecordOf(store, "/") is { } record ? store.Roots.AbsolutePath(record) : null;
        var running = Identity("/");
        return running is null ? null : Names().FirstOrDefault(name => PathOf(name) == path || Identity(PathOf(name)) == running);
    }

    /// <summary>
    /// Removes a root, given by its name or path. Throws <see cref="StoreException"/> as <see cref="RootRemoval"/> does, and if the boot loader would
    /// start the root next.
    /// </summary>
    /// <param name="nameOrPath">The root's name or path.</param>
    /// <param name="mayWait">As <see cref="RootRemoval.Run"/> has it.</param>
    public void Remove(string nameOrPath, bool mayWait = false)
    {
        string name = UnrecordedRoot.Require(store, nameOrPath);
        string path = store.Roots.Find(name) is { } record ? store.Roots.AbsolutePath(record) : "";
        BootChoice? choice = RequireNotNext(path, nameOrPath);
        RootRemoval.Run(store, nameOrPath, mayWait);
        Forget(choice, path);
    }

    /// <summary>
    /// Turns a root into another commit's. Throws <see cref="StoreException"/> as <see cref="RootAdvance"/> does, and if the boot loader would start
    /// the root next. The boot loader forgets it.
    /// </summary>
    public AdvanceResult Advance(string from, Digest commit, string revision, string destination, CheckoutOptions options)
    {
        string path = RealPath.OfName(from);
        BootChoice? choice = RequireNotNext(path, from);
        try
        {
            AdvanceResult result = RootAdvance.Run(store, from, commit, revision, destination, options);
            Forget(choice, path);
            return result;
        }
        catch when (!Directory.Exists(path))
        {
            Forget(choice, path);
            throw;
        }
    }

    /// <summary>The first of the spare roots that may be turned into another commit's now; null if there is none.</summary>
    public string? FindSpare() => Path.GetFileName(RootAdvance.FindFree(store, FindSpares().Select(PathOf)));

    /// <summary>
    /// The surplus roots, except the newest of them, and except those that failed: such a root tells why, and keeps an upgrade from trying its commit
    /// again. Oldest first. None if no boot loader tells what boots.
    /// </summary>
    internal IReadOnlyList<string> FindSpares()
    {
        if (BootChoice.TryRead(Physical) is not { } choice)
        {
            return [];
        }

        var faults = new TrialFaults(Physical);
        return [.. FindSurplus(1).Where(name => name != choice.Trial && faults.Find(name) is null)];
    }

    /// <summary>
    /// Throws <see cref="StoreException"/> if the boot loader would start the root next. Answers the boot loader's choice, if it has that root.
    /// </summary>
    private BootChoice? RequireNotNext(string path, string subject)
    {
        string root = Path.GetFileName(path);
        BootChoice? choice = Path.GetDirectoryName(path) == Physical ? BootChoice.TryRead(Physical) : null;
        return choice is null || !(root == choice.Default || choice.IsOnTrial(root) || root == StagedRoot.Find(Physical)?.Root)
            ? choice
            : throw new StoreException($"{subject}: the machine would boot it next", new Remedy.BootAnother());
    }

    private void Forget(BootChoice? choice, string path)
    {
        if (choice is not null)
        {
            choice.Forget(Path.GetFileName(path));
            new TrialFaults(Physical).Remove(Path.GetFileName(path));
        }
    }

    /// <summary>
    /// The roots that nothing calls for: made with --boot, and neither running, the default, the default before it, on trial, staged nor pinned. The newest
    /// ones are left out, <paramref name="kept"/> of them. Oldest first. Throws <see cref="StoreException"/> if no boot loader tells what boots.
    /// </summary>
    public IReadOnlyList<string> FindSurplus(int kept)
    {
        var choice = BootChoice.ReadForRoots(Physical, new Remedy.NameRoots());
        string?[] called = [FindRunning(), choice.Default, choice.Previous, StagedRoot.Find(Physical)?.Root];
        return [.. Recorded()
            .Where(root => root.Record is { OwnsEtc: true, State: RootState.Ready } && !called.Contains(root.Name) && !choice.IsOnTrial(root.Name))
            .Skip(kept)
            .Select(root => root.Name)
            .Reverse()];
    }

    private static (ulong Device, ulong Inode)? Identity(string path) =>
        Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(path), out FileStatus status) == Errno.None ? (status.Device, status.Inode) : null;
}
