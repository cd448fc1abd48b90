using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// Which root the boot loader starts: the default, or a root on trial as long as it has tries left. Each boot loader has one class that reads this
/// from the loader's own files and writes it there, and a row in <see cref="Loaders"/>. The loader counts the tries down, one before each.
/// </summary>
/// <remarks>
/// All of them pass the same tests (BootChoiceTests). One write, of one sector or a rename, stands between "the old root boots" and "the new root
/// is tried", and as well between one default and another. A root on trial has subroot.trial, subroot.fallback=DEFAULT and panic=10 on the
/// kernel's command line, and no other root has.
/// </remarks>
public abstract class BootChoice
{
    /// <summary>The most tries that a loader can count.</summary>
    public const int MostTries = 5;

    private static readonly Func<string, FoundLoader>[] Loaders = [SystemdBootChoice.Find, GrubChoice.Find];

    /// <summary>The directory of the loader's files, which are read and written here. It may lie on a partition of its own.</summary>
    public abstract string Folder { get; }

    /// <summary>The root that boots if none is on trial.</summary>
    public abstract string Default { get; }

    /// <summary>The default before that one; null if there was none.</summary>
    public abstract string? Previous { get; }

    /// <summary>The root on trial; null if there is none. Without tries left, it failed, or its last try runs.</summary>
    public abstract string? Trial { get; }

    /// <summary>How many times the loader will still start <see cref="Trial"/>.</summary>
    public abstract int TriesLeft { get; }

    /// <summary>Whether the loader would still start a root on trial.</summary>
    public bool IsOnTrial(string root) => root == Trial && TriesLeft > 0;

    /// <summary>
    /// Reads the choice of the disk whose physical root this is. Throws <see cref="StoreException"/> if no boot loader of it can have a root on trial.
    /// </summary>
    public static BootChoice Read(string physicalRoot) => Read(physicalRoot, "can start a root on trial", remedy: null);

    /// <summary>
    /// Reads the choice in order to know what boots. Throws <see cref="StoreException"/> if no boot loader tells, with what to do then.
    /// </summary>
    internal static BootChoice ReadForRoots(string physicalRoot, Remedy remedy) => Read(physicalRoot, "tells which roots are called for", remedy);

    private static BootChoice Read(string physicalRoot, string purpose, Remedy? remedy)
    {
        var faults = new List<string>();
        return FindIn(physicalRoot, faults)
            ?? throw new StoreException($"{physicalRoot}: no boot loader here {purpose}: {string.Join("; ", faults)}", remedy);
    }

    /// <summary>Reads the choice like <see cref="Read(string)"/>; null if there is no such boot loader.</summary>
    public static BootChoice? TryRead(string physicalRoot) => FindIn(physicalRoot, []);

    private static BootChoice? FindIn(string physicalRoot, List<string> faults)
    {
        foreach (Func<string, FoundLoader> find in Loaders)
        {
            FoundLoader found = find(physicalRoot);
            if (found.Choice is { } choice)
            {
                return choice;
            }

            faults.Add(found.Fault!);
        }

        return null;
    }

    /// <summary>
    /// Whether the loader can start the root as it is. If not, <see cref="Place"/> must come before <see cref="Try"/> and <see cref="Choose"/>.
    /// </summary>
    public abstract bool Offers(string root);

    /// <summary>The options that the kernel of a root gets, except subroot=, if the root has none of its own (<see cref="KernelOptions"/>).</summary>
    public abstract string OptionsOf(string root);

    /// <summary>The kernel's command line of a start of that root on trial, as the loader gives it.</summary>
    internal string TrialLine(string physicalRoot, string root)
    {
        string usual = OptionsOf(root);
        return $"{new KernelOptions(Path.Combine(physicalRoot, root), usual).All(usual)} subroot={root} {LoaderEntry.OptionsOfTrial(Default)}";
    }

    /// <summary>
    /// Makes everything on a filesystem durable where a boot loader reads it, and the cache of its disk empty. That takes two calls. fsync alone leaves it
    /// in the journal, which loaders do not replay, and on FAT it does not write where a file begins. syncfs writes all to its place, but has the disk
    /// empty its cache before that (ext4) or not at all (FAT), as fsync does (fs/sync.c, fs/ext4/fsync.c, fs/fat/file.c).
    /// </summary>
    /// <param name="path">A directory of the filesystem.</param>
    internal static void SyncDisk(string path)
    {
        using SafeFileHandle folder = OpenPath.Directory(path);
        Sys.SyncFilesystem(folder).ThrowIfFailed("syncfs", path);
        Sys.Sync(folder).ThrowIfFailed("fsync", path);
    }

    /// <summary>Has the loader take over the options of a root's own, which were changed.</summary>
    public abstract void Renew(string root);

    /// <summary>Throws <see cref="StoreException"/> if there is no space for a kernel and an initrd where the loader can read them.</summary>
    public abstract void RequireSpace(IEnumerable<LoadedFile> files);

    /// <summary>Puts a root's kernel and initrd where the loader can read them. What boots stays as it is.</summary>
    /// <param name="root">The root's name.</param>
    /// <param name="kernel">The path of its kernel.</param>
    /// <param name="initrd">The path of the kernel's initrd, without HackTree's segment.</param>
    public abstract void Place(string root, string kernel, string initrd);

    /// <summary>Puts a root on trial. The default stays. With no tries, it is as if the loader had started the root for the last time.</summary>
    public abstract void Try(string root, int tries);

    /// <summary>Makes a root the default and ends any trial.</summary>
    public abstract void Choose(string root);

    /// <summary>Forgets a root that is gone. It is neither the default nor on trial with tries left.</summary>
    public abstract void Forget(string root);
}

/// <summary>A kernel or an initrd, which a boot loader loads.</summary>
/// <param name="Digest">Its digest.</param>
/// <param name="Length">Its length in bytes.</param>
public readonly record struct LoadedFile(Digest Digest, long Length)
{
    /// <summary>Reads a file.</summary>
    internal static LoadedFile Read(string path)
    {
        byte[] content = File.ReadAllBytes(path);
        return new LoadedFile(Verity.Compute(content), content.LongLength);
    }
}

/// <summary>What a boot loader's class found below a physical root.</summary>
/// <param name="Choice">The choice; null if the loader is not there, or cannot have a root on trial.</param>
/// <param name="Fault">Why not, in words; null if there is a choice.</param>
internal readonly record struct FoundLoader(BootChoice? Choice, string? Fault);
