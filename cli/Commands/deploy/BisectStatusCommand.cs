using System.CommandLine;
using HackTree.Boot;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class BisectStatusCommand : Verb
{
    private readonly Option<bool> json;

    internal BisectStatusCommand()
        : base("status", "Tell what a bisect has found, and what it tries now.", "hacktree bisect status") => json = AddJson();

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        BisectState? state = Bisect.Find(store);
        if (session.Get(json))
        {
            BisectText.WriteJson(store, state);
        }
        else if (state is null)
        {
            session.Note("there is no bisect");
        }
        else
        {
            BisectText.Print(store, state);
        }

        return ExitCode.Done;
    }
}

internal sealed class BisectStepCommand : Verb
{
    internal BisectStepCommand()
        : base("step", "Go on with a bisect after a restart.", "hacktree bisect step") =>
        Details = "The machine runs this by itself when it has started on its default root (hacktree-bisect.service). A root that is being tried runs "
            + "`hacktree good`.";

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStoreToWrite();
        using var bisect = Bisect.Open(store);
        return BisectCommand.Step(session, store, bisect);
    }

    protected override string Undone(Session session) => "the machine boots what it booted before; `hacktree bisect step` goes on";
}

internal sealed class BisectAbortCommand : Verb
{
    internal BisectAbortCommand()
        : base("abort", "End a bisect, remove the roots that it made, and forget what it found.", "hacktree bisect abort")
    {
    }

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStoreToWrite();
        using var bisect = Bisect.Open(store);
        bisect.Abort();
        foreach (string sentence in bisect.Left)
        {
            session.Note(sentence);
        }

        return ExitCode.Done;
    }
}
