using System.CommandLine;
using HackTree.Boot;

namespace HackTree.Cli;

internal sealed class InitrdUnpatchCommand : Verb
{
    private readonly Argument<string> input = new("IN") { Description = "The patched initrd." };
    private readonly Argument<string> output = new("OUT") { Description = "The original initrd; may be IN itself." };

    internal InitrdUnpatchCommand()
        : base(
            "unpatch",
            "Remove what `patch` appended. The result is the original, byte for byte.",
            "hacktree initrd unpatch /boot/initrd.img-6.1.0-56-amd64 original.img")
    {
        Add(input);
        Add(output);
    }

    protected override int Run(Session session)
    {
        string place = session.Get(output);
        session.Note(InitrdPatch.Unpatch(session.Get(input), place, Session.Stop) == PatchResult.Unchanged
            ? $"{place}: it was not patched"
            : $"{place}: the original again");
        return ExitCode.Done;
    }

    protected override string Undone(Session session) => $"{session.Get(output)} is what it was";
}
