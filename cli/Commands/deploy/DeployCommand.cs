using System.CommandLine;
using HackTree.Boot;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class DeployCommand : DeployVerb
{
    private readonly Argument<string> revision;

    internal DeployCommand()
        : base("deploy", "Make a commit the root on trial, which boots next.", "hacktree deploy debian/bookworm", "hacktree deploy --tries 1 debian/bookworm")
    {
        revision = AddRevision("COMMIT", "The commit: a ref, REF^, REF~3, or an id or its beginning.");
        Add(new Finish());
        Details = "The new root gets the first free name r0, r1, .... The oldest root that `gc --keep 1` would remove is turned into it, unless that failed; "
            + "`roots pin` keeps a root from that. The new root's own hacktree must find it in this store. Only then one write makes it the root on "
            + "trial. It becomes the default when its system has started and all programs in /etc/hacktree/health.d end with 0. A root that does not come so "
            + "far restarts the machine, and without tries left the default boots again. The boot loader must be GRUB or systemd-boot, with a menu by "
            + "`hacktree image`. Where the commit has a kernel and no initrd, its mkinitramfs or dracut makes one. What was changed in /etc of the running "
            + "root is carried over. Where the commit changed the same file, its own is put beside as NAME.hacktree-new. With --stage the root is made and "
            + "checked now, and all the rest is done when the machine shuts down: what is edited in /etc until then is in it. After "
            + "a power cut the machine boots what it booted before.";
    }

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStoreToWrite();
        string name = session.Get(revision);
        return Deploy(session, store, Revision.Resolve(store, name), name);
    }

    private sealed class Finish : Verb
    {
        internal Finish()
            : base("finish", "Put the root that --stage made on trial. The machine runs this when it shuts down.", "hacktree deploy finish")
        {
        }

        protected override int Run(Session session)
        {
            using ObjectStore store = session.OpenStoreToWrite();
            if (Deployment.FinishStaged(store) is not { } finished)
            {
                session.Note("nothing is staged");
                return ExitCode.Done;
            }

            NoteEtc(session, finished.Etc);
            session.Note($"{finished.Root} is on trial from the next boot on");
            return ExitCode.Done;
        }

        protected override string Undone(Session session) => "the machine boots what it booted before";
    }
}
