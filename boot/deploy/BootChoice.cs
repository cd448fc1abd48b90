using System.Globalization;
using HackTree.Store;

namespace HackTree.Boot;

/// <summary>
/// Which root the boot loader starts: the default, or a root on trial as long as it has tries left. The loader counts the tries down before each
/// (<see cref="GrubMenu"/>). One write of the environment block is what stands between "the old root boots" and "the new root is tried".
/// </summary>
public sealed class BootChoice
{
    /// <summary>The most tries that the menu can count.</summary>
    public const int MostTries = 5;

    private const string PreviousName = "hacktree_previous";

    private readonly GrubEnvironment environment;

    private BootChoice(GrubEnvironment environment, string firstDefault)
    {
        this.environment = environment;
        Default = environment.Get(GrubMenu.DefaultName) ?? firstDefault;
    }

    /// <summary>The root that boots if none is on trial.</summary>
    public string Default { get; private set; }

    /// <summary>The default before that one; null if there was none.</summary>
    public string? Previous => environment.Get(PreviousName);

    /// <summary>The root on trial; null if there is none. Without tries left, it failed.</summary>
    public string? Trial => environment.Get(GrubMenu.TrialName);

    /// <summary>How many times the loader will still start <see cref="Trial"/>.</summary>
    public int TriesLeft => int.TryParse(environment.Get(GrubMenu.TriesName), out int tries) ? tries : 0;

    /// <summary>
    /// Reads the choice of the disk whose physical root this is. Throws <see cref="StoreException"/> if its boot menu cannot have a root on trial.
    /// </summary>
    public static BootChoice Read(string physicalRoot)
    {
        string grub = Path.Combine(physicalRoot, "boot/grub"), menu = Path.Combine(grub, "grub.cfg");
        if (!File.Exists(menu))
        {
            throw new StoreException($"{menu}: there is no such file; trial roots need GRUB, with a menu by `hacktree image create` or `image convert`");
        }

        if (GrubMenu.DefaultOf(File.ReadAllText(menu)) is not { } firstDefault)
        {
            throw new StoreException(
                $"{menu}: the menu counts no tries of a root; "
                + "a disk made by this version of `hacktree image create` or `image convert` has one that does");
        }

        return new BootChoice(GrubEnvironment.Read(Path.Combine(grub, GrubMenu.EnvironmentFile)), firstDefault);
    }

    /// <summary>Puts a root on trial. The default stays.</summary>
    public void Try(string root, int tries)
    {
        environment.Set(GrubMenu.TrialName, root);
        environment.Set(GrubMenu.TriesName, tries.ToString(CultureInfo.InvariantCulture));
        environment.Write();
    }

    /// <summary>Makes a root the default and ends any trial.</summary>
    public void Choose(string root)
    {
        if (root != Default)
        {
            environment.Set(PreviousName, Default);
        }

        environment.Set(GrubMenu.DefaultName, root);
        environment.Set(GrubMenu.TrialName, null);
        environment.Set(GrubMenu.TriesName, null);
        environment.Write();
        Default = root;
    }
}
