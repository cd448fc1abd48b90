using System.CommandLine;
using HackTree.Boot;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class InitrdInstallCommand : Verb
{
    private readonly Option<string> root = new("--root")
    {
        Description = "The root to install into.",
        HelpName = "DIR",
        DefaultValueFactory = _ => "/",
    };

    private readonly Option<bool> isForTools = new("--initramfs-tools") { Description = "Install for initramfs-tools (update-initramfs)." };
    private readonly Option<bool> isForDracut = new("--dracut") { Description = "Install for dracut." };
    private readonly Option<bool> isRemoval = new("--remove") { Description = "Remove the files again." };

    internal InitrdInstallCommand()
        : base(
            "install",
            "Make every new initrd able to boot a root by name (subroot=).",
            "hacktree initrd install && update-initramfs -u",
            "hacktree initrd install --remove")
    {
        Add(root);
        Add(isForTools);
        Add(isForDracut);
        Add(isRemoval);
        Details = "Installs files that update-initramfs or dracut puts into each initrd. Without --initramfs-tools and --dracut, it installs them "
            + "for those of the two programs that the root has. Prints the files.";
    }

    protected override int Run(Session session)
    {
        string place = session.Get(root)!;
        InitramfsKind kinds = (session.Get(isForTools) ? InitramfsKind.InitramfsTools : 0)
            | (session.Get(isForDracut) ? InitramfsKind.Dracut : 0);
        kinds = kinds != InitramfsKind.None ? kinds : InitramfsInstall.Find(place);
        if (kinds == InitramfsKind.None)
        {
            throw new StoreException(
                $"{place}: there is neither initramfs-tools nor dracut; install one of them, or name one with --initramfs-tools or --dracut");
        }

        IReadOnlyList<string> files = session.Get(isRemoval) ? InitramfsInstall.Remove(place, kinds) : InitramfsInstall.Install(place, kinds);
        foreach (string file in files)
        {
            Session.Output.WriteLine(CommitText.Line(Path.Combine(place, file)));
        }

        string[] next =
        [
            .. kinds.HasFlag(InitramfsKind.InitramfsTools) ? ["`update-initramfs -u`"] : Array.Empty<string>(),
            .. kinds.HasFlag(InitramfsKind.Dracut) ? ["`dracut --force`"] : Array.Empty<string>(),
        ];
        session.Note(files.Count == 0 ? "nothing was installed" : $"now make the initrd again with {string.Join(" or ", next)}");
        return ExitCode.Done;
    }
}
