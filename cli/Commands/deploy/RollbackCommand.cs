using HackTree.Boot;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class RollbackCommand : Verb
{
    internal RollbackCommand()
        : base("rollback", "Go back: end a trial, or make the default before this one the default again.", "hacktree rollback") =>
        Details = "If a root is on trial or staged, that ends and the default stays. Otherwise the default and the one before it change places. What boots "
            + "next is printed. `hacktree default` names any root.";

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStoreToWrite();
        var roots = new BootableRoots(store);
        BootChoice choice = BootChoice.Read(roots.Physical);
        string root = choice.Trial is not null || StagedRoot.Find(roots.Physical) is not null ? choice.Default
            : choice.Previous ?? throw new StoreException(
                $"no root was the default before {choice.Default}; `hacktree default ROOT` chooses one that `hacktree status` lists");
        roots.Choose(choice, root);
        Session.Output.WriteLine(root);
        return ExitCode.Done;
    }
}
