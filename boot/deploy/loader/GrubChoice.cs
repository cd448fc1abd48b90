using System.Globalization;
using HackTree.Linux;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Boot;

/// <summary>
/// The choice that GRUB reads from its environment block. The menu (<see cref="GrubMenu"/>) counts the tries down there, and finds roots and their
/// kernels by itself.
/// </summary>
internal sealed class GrubChoice : BootChoice
{
    private const string PreviousName = "hacktree_previous";

    private readonly string firstDefault;
    private readonly string physicalRoot;
    private readonly string grub;
    private readonly string menu;
    private GrubEnvironment environment;

    private GrubChoice(string physicalRoot, string grub, GrubEnvironment environment, string firstDefault, string menu) =>
        (this.physicalRoot, this.grub, this.environment, this.firstDefault, this.menu) = (physicalRoot, grub, environment, firstDefault, menu);

    public override string Folder => grub;

    public override string Default => environment.Get(GrubMenu.DefaultName) ?? firstDefault;

    public override string? Previous => environment.Get(PreviousName);

    public override string? Trial => environment.Get(GrubMenu.TrialName);

    public override int TriesLeft => int.TryParse(environment.Get(GrubMenu.TriesName), out int tries) ? tries : 0;

    internal static FoundLoader Find(string physicalRoot)
    {
        string grub = Path.Combine(physicalRoot, InstalledGrub.Folder);
        string[] menus = [.. new[] { InstalledGrub.MainFile, InstalledGrub.CustomFile }.Select(name => Path.Combine(grub, name)).Where(File.Exists)];
        if (menus.Length == 0)
        {
            return new FoundLoader(null, $"for GRUB, there is no {Path.Combine(grub, InstalledGrub.MainFile)}");
        }

        // A converted disk has HackTree's menu in custom.cfg.
        (string text, string? firstDefault) = menus.Select(File.ReadAllText)
            .Select(menu => (Text: menu, Default: GrubMenu.DefaultOf(menu)))
            .FirstOrDefault(menu => menu.Default is not null);
        if (firstDefault is null)
        {
            return new FoundLoader(
                null, $"the menu {menus[0]} counts no tries; a disk made by this version of `hacktree image create` or `image convert` has one that does");
        }

        return new FoundLoader(new GrubChoice(physicalRoot, grub, ReadEnvironment(grub), firstDefault, text), null);
    }

    private static GrubEnvironment ReadEnvironment(string grub)
    {
        string block = Path.Combine(grub, GrubMenu.EnvironmentFile);
        return File.Exists(block) ? GrubEnvironment.Read(block) : GrubEnvironment.Empty(block);
    }

    public override bool Offers(string root) => new[] { physicalRoot, Path.Combine(physicalRoot, root) }
        .Any(top => KernelVersion.In(Path.Combine(top, ImageLayout.Boot)).Any());

    public override string OptionsOf(string root) => GrubMenu.OptionsOf(menu);

    /// <summary>The menu reads them at the root's next start.</summary>
    public override void Renew(string root) => SyncDisk(physicalRoot);

    public override void RequireSpace(IEnumerable<LoadedFile> files)
    {
        // No file is copied.
    }

    public override void Place(string root, string kernel, string initrd)
    {
        // The menu loads them from the filesystem of the roots.
    }

    public override void Try(string root, int tries) => Change(() =>
    {
        environment.Set(GrubMenu.TrialName, root);
        environment.Set(GrubMenu.TriesName, tries.ToString(CultureInfo.InvariantCulture));
    });

    public override void Choose(string root) => Change(() =>
    {
        if (root != Default)
        {
            environment.Set(PreviousName, Default);
        }

        environment.Set(GrubMenu.DefaultName, root);
        environment.Set(GrubMenu.TrialName, null);
        environment.Set(GrubMenu.TriesName, null);
    });

    public override void Forget(string root)
    {
        if (Previous == root || Trial == root)
        {
            Change(() =>
            {
                foreach (string variable in new[] { PreviousName, GrubMenu.TrialName }.Where(name => environment.Get(name) == root))
                {
                    environment.Set(variable, null);
                }
            });
        }
    }

    /// <summary>
    /// Changes the block as it is now: another command may have changed it since this one read it. Writes it after all that it names, because until a
    /// sync GRUB may not see a root that is in the journal alone.
    /// </summary>
    private void Change(Action change)
    {
        SyncDisk(grub);
        using SafeFileHandle folder = OpenPath.Directory(grub);
        Sys.Lock(folder, LockKind.Exclusive, wait: true).ThrowIfFailed("flock", grub);
        environment = ReadEnvironment(grub);
        change();
        environment.Write();
    }
}
