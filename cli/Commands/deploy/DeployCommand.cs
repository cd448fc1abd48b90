using System.CommandLine;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class DeployCommand : DeployVerb
{
    private readonly Argument<string> revision;

    internal DeployCommand()
        : base("deploy", "Make a commit the root on trial, which boots next.", "hacktree deploy debian/bookworm", "hacktree deploy --tries 1 debian/bookworm")
    {
        revision = AddRevision("COMMIT", "The commit: a ref, REF^, REF~3, or an id or its beginning.");
        Details = "The new root gets the first free name r0, r1, .... Its own hacktree must find it in this store. Only then one write makes it the root on "
            + "trial. It becomes the default when its system has started and all programs in /etc/hacktree/health.d end with 0. A root that does not come so "
            + "far restarts the machine, and without tries left the default boots again. The boot loader must be GRUB or systemd-boot, with a menu by "
            + "`hacktree image`. What was changed in /etc of the running root is carried over. Where the commit changed the same file, its own is put beside "
            + "as NAME.hacktree-new.";
    }

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStoreToWrite();
        string name = session.Get(revision);
        return Deploy(session, store, Revision.Resolve(store, name), name);
    }
}
