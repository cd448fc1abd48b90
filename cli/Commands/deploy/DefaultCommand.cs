using System.CommandLine;
using HackTree.Boot;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class DefaultCommand : Verb
{
    private readonly Argument<string> name = new("ROOT") { Description = "The root's name." };

    internal DefaultCommand()
        : base("default", "Make a root the one that boots, and end a trial.", "hacktree default r1") => Add(Completions.WithRoots(name));

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStoreToWrite();
        var roots = new BootableRoots(store);
        roots.Choose(BootChoice.Read(roots.Physical), session.Get(name));
        return ExitCode.Done;
    }
}
