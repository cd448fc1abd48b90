using System.CommandLine;
using HackTree.Boot;

namespace HackTree.Cli;

internal sealed class ImageEditCommand : Verb
{
    private readonly Argument<string> image = new("IMAGE") { Description = "The image." };
    private readonly Argument<string[]> command = new("COMMAND")
    {
        Description = "The command to run, after --. Default: a shell.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private readonly Option<string?> chroot = new("--chroot") { Description = "Run it in this root, as if the root were booted.", HelpName = "ROOT" };

    internal ImageEditCommand()
        : base(
            "edit",
            "Run a command, or a shell, inside an image.",
            "hacktree image edit debian.qcow2",
            "hacktree image edit debian.qcow2 --chroot r1 -- passwd root")
    {
        Details = "The working directory is the top of the image's filesystem. $HACKTREE_IMAGE has its path. Other processes do not see it, and "
            + "it is unmounted afterwards in any case. The exit code is that of the command. Needs root.";
        Add(image);
        Add(command);
        Add(chroot);
    }

    // Ctrl-C in a shell is the shell's. SIGTERM ends the command, and the image is unmounted.
    protected override StopWay WayToStop(Session session) => StopWay.LeaveKeysToChild;

    protected override int Run(Session session)
    {
        return ImageShell.Run(session.Get(image), session.Get(command), session.Get(chroot), Session.Stop);
    }

    protected override string Undone(Session session) => "the command was ended, and the image is unmounted";
}
