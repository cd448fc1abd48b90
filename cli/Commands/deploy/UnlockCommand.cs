using HackTree.Boot;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class UnlockCommand : Verb
{
    internal UnlockCommand()
        : base(
            "unlock",
            "Make /usr and the rest of the running root writable until the next boot.",
            "hacktree unlock",
            "hacktree unlock && apt-get install -y strace && hacktree commit -b fixed --unlocked")
    {
        Details = "Mounts an overlay over each directory that the boot made read-only, and over the root's package database. What is written there is kept "
            + "in memory, changes neither the root nor the store, and is gone after the next boot; `hacktree commit --unlocked` makes a commit of it. "
            + "/etc, /var and /home are as before: what is written there stays, and is in no such commit. Needs root.";
    }

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        session.Note($"writable until the next boot: {string.Join(", ", UnlockedRoot.Unlock(store).Select(CommitText.Line))}");
        return ExitCode.Done;
    }
}
