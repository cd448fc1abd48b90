using System.CommandLine;
using System.Runtime.InteropServices;
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
        Details = "The working directory is the top of the image's filesystem. $HACKTREE_IMAGE has its path. Other processes do not see it, and\n"
            + "it is unmounted afterwards in any case. The exit code is that of the command. Needs root.";
        Add(image);
        Add(command);
        Add(chroot);
    }

    protected override int Run(Session session)
    {
        // What Ctrl-C ends is the program that runs, the command or one that copies the disk; this one then tidies up.
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true);
        return ImageShell.Run(session.Get(image), session.Get(command), session.Get(chroot));
    }
}
