using HackTree.Linux;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// The choice that systemd-boot reads from the entries on the EFI system partition (<see cref="LoaderEntry"/>). Their order decides, and never one
/// name: the default is the first entry without a counter, and the root on trial has an entry with a counter before that one. The loader counts the
/// tries down in the file's name (https://systemd.io/AUTOMATIC_BOOT_ASSESSMENT/). To choose a root is to write its entry with the highest version.
/// Entries that were overtaken are removed after that; until then they are ignored here, and the loader does not come to them.
/// </summary>
internal sealed class SystemdBootChoice : BootChoice
{
    /// <summary>The loader ignores entries with names that begin so.</summary>
    private const string IgnoredPrefix = "auto-";

    private readonly EfiFolder folder;
    private readonly string physicalRoot;
    private List<LoaderEntry> entries;

    private SystemdBootChoice(EfiFolder folder, string physicalRoot)
    {
        (this.folder, this.physicalRoot) = (folder, physicalRoot);
        entries = Read();
    }

    public override string Folder => folder.Path;

    public override string Default => First.Root;

    public override string? Previous => Standing.Skip(1).FirstOrDefault(entry => entry.Rank > 0 && entry.Root != Default)?.Root;

    public override string? Trial => TrialEntry?.Root;

    public override int TriesLeft => TrialEntry?.TriesLeft ?? 0;

    /// <summary>The entries without a counter, in the loader's order.</summary>
    private List<LoaderEntry> Standing => [.. entries
        .Where(entry => entry.TriesLeft is null)
        .OrderByDescending(entry => entry.Rank)
        .ThenByDescending(entry => entry.ReadFrom, Comparer<string>.Create(KernelVersion.Compare))];

    /// <summary>The entry of the default.</summary>
    private LoaderEntry First => Standing.FirstOrDefault() ?? throw new StoreException(NoDefault);

    private string NoDefault => $"{folder.Path}/loader/entries has no entry of a root (subroot=NAME in its options) without a counter";

    /// <summary>An entry with a counter and a lower rank than the default's was overtaken.</summary>
    private LoaderEntry? TrialEntry => entries.Where(entry => entry.TriesLeft is not null && entry.Rank > First.Rank).MaxBy(entry => entry.Rank);

    private long NextRank => entries.Max(entry => entry.Rank) + 1;

    internal static FoundLoader Find(string physicalRoot)
    {
        if (EfiFolder.Find(physicalRoot) is not { } folder)
        {
            string whose = Sys.IsRoot ? "" : ", as far as others than root can see";
            return new FoundLoader(null, $"for systemd-boot, no EFI system partition with a loader/ in it is mounted at /efi, /boot/efi or /boot{whose}");
        }

        var choice = new SystemdBootChoice(folder, physicalRoot);
        if (choice.Standing.Count == 0)
        {
            return new FoundLoader(null, choice.NoDefault);
        }

        string[] lines = folder.TextOf("loader/loader.conf").Split('\n', StringSplitOptions.TrimEntries);
        string? named = Array.Find(lines, line => line.Split([' ', '\t'])[0] == "default");
        return named is null
            ? new FoundLoader(choice, null)
            : new FoundLoader(null, $"{folder.Path}/loader/loader.conf has the line '{named}', so no other root would ever start; remove that line");
    }

    public override bool Offers(string root) => entries.Exists(entry => entry.Root == root && folder.HasFilesOf(entry));

    public override string OptionsOf(string root) => (entries.Find(entry => entry.Root == root) ?? First).Options;

    public override void Renew(string root)
    {
        using SafeFileHandle turn = folder.Lock();
        foreach (LoaderEntry entry in Read().Where(entry => entry.Root == root))
        {
            if (entry.HasOwnName)
            {
                folder.Replace(WithOwnOptions(entry));
            }
            else
            {
                folder.WriteOver(WithOwnOptions(entry));
            }
        }

        entries = Read();
    }

    public override void RequireSpace(IEnumerable<LoadedFile> files) => folder.RequireSpace(files);

    public override void Place(string root, string kernel, string initrd)
    {
        using SafeFileHandle turn = folder.Lock();
        entries = Read();
        RequireName(root);
        folder.RemoveUnused();
        IReadOnlyList<string> files = folder.Add(kernel, initrd);
        if (First.Rank == 0)
        {
            // The loader puts an entry without our sort-key behind all that have it. The default must stay the first.
            folder.Replace(First with { Rank = 1 });
            entries = Read();
        }

        LoaderEntry like = Standing.Find(entry => entry.Root == root) ?? (First with { Rank = 0, ReadFrom = "" });
        folder.Replace(WithOwnOptions(like with { Root = root, Kernel = files[0], Initrds = [.. files.Skip(1)] }));
        entries = Read();
    }

    public override void Try(string root, int tries) => Write(root, entry => entry with { TriesLeft = tries, TriesUsed = 0, Fallback = Default });

    public override void Choose(string root) => Write(root, entry => entry with { TriesLeft = null, TriesUsed = 0, Fallback = null });

    public override void Forget(string root)
    {
        using SafeFileHandle turn = folder.Lock();
        foreach (LoaderEntry entry in Read().Where(entry => entry.Root == root).ToList())
        {
            folder.Remove(entry);
        }

        folder.RemoveUnused();
        folder.Sync();
        entries = Read();
    }

    /// <summary>Writes an entry of the root that comes before all others. Then removes what has no use any more.</summary>
    private void Write(string root, Func<LoaderEntry, LoaderEntry> change)
    {
        using SafeFileHandle turn = folder.Lock();
        entries = Read();
        folder.Write(change(Best(root)) with { Rank = NextRank });
        entries = Read();
        foreach (LoaderEntry entry in entries.Where(IsUseless).ToList())
        {
            folder.Remove(entry);
        }

        folder.RemoveUnused();
        folder.Sync();
        entries = Read();
    }

    /// <summary>The entry that says what the root boots: that of its trial if it is on trial, and otherwise what was placed last.</summary>
    private LoaderEntry Best(string root) =>
        (TrialEntry is { } trial && trial.Root == root ? trial : null)
        ?? Standing.Find(entry => entry.Root == root)
        ?? entries.Where(entry => entry.Root == root).MaxBy(entry => entry.Rank)
        ?? throw new StoreException($"{folder.Path}: there is no entry of {root}, so the boot loader could not start it");

    /// <summary>
    /// Whether an entry was overtaken: a trial that is over, an older file of a changed entry, a spare entry of the root on trial, or that of a root which
    /// is gone.
    /// </summary>
    private bool IsUseless(LoaderEntry entry) =>
        entry.TriesLeft is not null ? entry != TrialEntry
        : (entry.HasOwnName && Standing.Find(other => other.Root == entry.Root && other.HasOwnName) != entry)
        || (entry.Root != Default && ((entry.Rank == 0 && entry.Root == Trial) || !Directory.Exists(Path.Combine(physicalRoot, entry.Root))));

    private LoaderEntry WithOwnOptions(LoaderEntry entry) =>
        entry with { Options = new KernelOptions(Path.Combine(physicalRoot, entry.Root), entry.Options).All(entry.Options) };

    private void RequireName(string root)
    {
        if (root.StartsWith(IgnoredPrefix, StringComparison.OrdinalIgnoreCase))
        {
            throw new StoreException($"{root}: systemd-boot ignores entries with names that begin with {IgnoredPrefix}; give the root another name");
        }

        if (entries.Find(entry => entry.Root != root && entry.Root.Equals(root, StringComparison.OrdinalIgnoreCase)) is { } alike)
        {
            throw new StoreException(
                $"{root} and {alike.Root} differ only in case, and the EFI system partition knows no case; give one of the roots another name");
        }
    }

    private List<LoaderEntry> Read() => [.. folder.ReadEntries()];
}
