using System.CommandLine;
using HackTree.Checkout;

namespace HackTree.Cli;

internal sealed class UmountCommand : Verb
{
    private readonly Argument<string> directory = new("DIR") { Description = "The directory that the commit is mounted at." };

    internal UmountCommand()
        : base("umount", "End a mount of a commit.", "hacktree umount /mnt")
    {
        directory.CompletionSources.Add(_ => ImageMount.Find().Select(mount => mount.Path));
        Add(directory);
        Details = "The image stays in the store, so that the next mount of the commit takes no time. gc removes it with the commit.";
    }

    protected override int Run(Session session)
    {
        ImageMount.End(session.Get(directory));
        return ExitCode.Done;
    }
}
