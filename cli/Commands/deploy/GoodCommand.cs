using HackTree.Boot;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class GoodCommand : Verb
{
    internal GoodCommand()
        : base("good", "Say of the running root on trial that it is good: it becomes the default.", "hacktree good") =>
        Details = "A root on trial runs this by itself when its system has started. First it runs the programs in /etc/hacktree/health.d, in the order of "
            + "their names, each for 60 s at most. If one does not end with 0, the root stays on trial, and `hacktree status` says why. "
            + "If the root is one that `hacktree bisect` tries, the default stays, and the next root is put on trial.";

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStoreToWrite();
        var roots = new BootableRoots(store);
        string physical = roots.Physical;
        BootChoice choice = BootChoice.Read(physical);
        string running = roots.FindRunning() ?? throw new StoreException("this system does not run on a root of the store, so there is nothing on trial");
        if (Bisect.Find(store)?.Trial?.Name == running)
        {
            return BisectCommand.Judge(session, store, running);
        }

        if (running != choice.Trial)
        {
            session.Note($"{running} is not on trial");
            return ExitCode.Done;
        }

        var faults = new TrialFaults(physical);
        if (HealthChecks.FindFault() is { } fault)
        {
            faults.Add(running, fault);
            throw new StoreException($"{running} is not good: {fault}");
        }

        faults.Remove(running);
        choice.Choose(running);
        session.Note($"{running} is good, and is the default now");
        return ExitCode.Done;
    }
}
