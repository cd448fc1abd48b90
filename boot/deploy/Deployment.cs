using System.Globalization;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>What to deploy.</summary>
/// <param name="Commit">The commit.</param>
/// <param name="Revision">The commit as the user named it.</param>
/// <param name="Tries">How many times the loader starts the root before it falls back.</param>
/// <param name="Force">Whether a root whose own hacktree does not work may be tried.</param>
public sealed record DeployRequest(Digest Commit, string Revision, int Tries, bool Force);

/// <summary>
/// Makes a commit the root on trial. The order is what makes it safe: the root is made, proved and synced first. Until the last step, one write of
/// the loader's environment block, the machine boots what it booted before, and a root that was made and not tried is a root like others.
/// </summary>
public static class Deployment
{
    private static readonly string[] Programs = ["usr/bin/hacktree", "usr/local/bin/hacktree"];

    /// <summary>Deploys, and returns the name of the root. Throws <see cref="StoreException"/> if the commit could not boot here.</summary>
    public static string Run(ObjectStore store, DeployRequest request, Progress? progress = null)
    {
        string physical = PhysicalOf(store);
        BootChoice choice = BootChoice.Read(physical);
        RequireNoOpenTrial(store, choice);
        Commit commit = store.Packs.ReadCommit(request.Commit);
        RequireKernel(store, commit, request, Path.Combine(physical, ImageLayout.Boot));
        string? program = Array.Find(Programs, path => Find(store, commit, path) is EntryKind.Regular);
        if (program is null && !request.Force)
        {
            throw new StoreException(
                $"{request.Revision} has no hacktree in /usr/bin or /usr/local/bin, so a root of it can neither say that it is good nor be updated; "
                + "--force deploys it all the same");
        }

        string name = FreeName(physical), path = Path.Combine(physical, name);
        _ = RootBuilder.Run(store, request.Commit, request.Revision, path, new CheckoutOptions { Boot = true, Progress = progress });
        if (program is not null && !request.Force)
        {
            Prove(store, physical, path, program);
        }

        Sync(physical);
        new TrialFaults(physical).Remove(name);
        choice.Try(name, request.Tries);
        return name;
    }

    /// <summary>The directory that holds the store and the roots.</summary>
    public static string PhysicalOf(ObjectStore store) => Path.GetDirectoryName(store.Path)!;

    /// <summary>The name of the root that this system runs on; null if it is none of this physical root.</summary>
    public static string? RunningName(ObjectStore store) =>
        RunningRoot.RecordOf(store, "/") is { } record && Path.GetDirectoryName(store.Roots.AbsolutePath(record)) == PhysicalOf(store)
            ? Path.GetFileName(record.Path)
            : null;

    /// <summary>Throws <see cref="StoreException"/> if there is no such root beside the store.</summary>
    public static void RequireRoot(ObjectStore store, string name)
    {
        string path = Path.Combine(PhysicalOf(store), name);
        if (!ImageLayout.IsRootName(name) || store.Roots.FindByPath(path) is null || !Directory.Exists(path))
        {
            throw new StoreException($"{name}: there is no such root beside the store; give the name of one, such as r1");
        }
    }

    private static void RequireNoOpenTrial(ObjectStore store, BootChoice choice)
    {
        if (choice.Trial is { } trial && trial == RunningName(store))
        {
            throw new StoreException($"{trial}, the running root, is on trial itself and was not found good yet", new Remedy.EndTrial());
        }
    }

    /// <summary>All roots boot the newest kernel of the shared /boot. The commit must have that kernel's modules, and an init.</summary>
    private static void RequireKernel(ObjectStore store, Commit commit, DeployRequest request, string boot)
    {
        string version = KernelVersion.FindNewest(boot) ?? throw new StoreException($"{boot}: there is no kernel with an initrd in it, so nothing could boot");
        if (Find(store, commit, $"usr/lib/modules/{version}") is not EntryKind.Directory)
        {
            throw new StoreException(
                $"{request.Revision} has no /usr/lib/modules/{version}, and that is the kernel which boots from {boot}; "
                + "build the commit with that kernel's package");
        }

        if (Find(store, commit, "usr/sbin/init") is null && Find(store, commit, "sbin/init") is null)
        {
            throw new StoreException($"{request.Revision} has no /sbin/init, so it cannot boot");
        }
    }

    private static EntryKind? Find(ObjectStore store, Commit commit, string path) =>
        TreeWalk.TryFind(store.Packs, commit, ByteText.FromArgument(path), out TreeEntry entry) ? entry.Kind : null;

    /// <summary>The first of r0, r1, ... that nothing has, not even unfinished.</summary>
    private static string FreeName(string physical) =>
        Enumerable.Range(0, int.MaxValue).Select(number => string.Create(CultureInfo.InvariantCulture, $"r{number}"))
            .First(name => !Path.Exists(Path.Combine(physical, name)) && !Path.Exists(Roots.PartialPath(Path.Combine(physical, name))));

    /// <summary>
    /// Has the new root's own program open this store, in a mount namespace of its own. An update that broke the updater could not be undone from the
    /// new root. The root is removed if its program fails.
    /// </summary>
    private static void Prove(ObjectStore store, string physical, string root, string program)
    {
        const string Script = "mount --rbind \"$1\" \"$2/sysroot\" && exec chroot \"$2\" \"/$3\" --store \"/sysroot/$4\" roots";
        string unshare = new Tool("unshare", "util-linux").Path;
        ProgramRun run = ProgramRun.Of([unshare, "--mount", "sh", "-c", Script, "sh", physical, root, program, Path.GetFileName(store.Path)], stop: store.Stop);
        if (run.Succeeded && run.Output.Contains(Path.GetFileName(root), StringComparison.Ordinal))
        {
            return;
        }

        RootRemoval.Run(store, root);
        throw new StoreException(
            $"the /{program} of the new root does not find its root in this store ({run.LastWords}), so that root could not be updated; "
            + "--force deploys it all the same");
    }

    private static void Sync(string physical)
    {
        using SafeFileHandle folder = OpenPath.Directory(physical);
        Sys.SyncFilesystem(folder).ThrowIfFailed("syncfs", physical);
    }
}
