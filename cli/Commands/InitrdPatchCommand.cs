using System.CommandLine;
using HackTree.Boot;

namespace HackTree.Cli;

internal sealed class InitrdPatchCommand : Verb
{
    private readonly Argument<string> input = new("IN") { Description = "The initrd." };
    private readonly Argument<string> output = new("OUT") { Description = "The file to write; may be IN itself." };

    internal InitrdPatchCommand()
        : base("patch", "Append to an initrd what boots a root by name (subroot=).", "hacktree initrd patch /boot/initrd.img-6.1.0-56-amd64 /boot/initrd.img-6.1.0-56-amd64")
    {
        Add(input);
        Add(output);
        Details = "The initrd's own bytes stay as they are, and `unpatch` gives them back. To patch again changes nothing, unless another version of this program did it before.";
    }

    protected override int Run(Session session)
    {
        string place = session.Get(output);
        session.Note(InitrdPatch.Patch(session.Get(input), place) switch
        {
            PatchResult.Unchanged => $"{place}: it was patched already",
            PatchResult.Replaced => $"{place}: patched; what another version had appended was replaced",
            _ => $"{place}: patched",
        });
        return ExitCode.Done;
    }
}

internal sealed class InitrdUnpatchCommand : Verb
{
    private readonly Argument<string> input = new("IN") { Description = "The patched initrd." };
    private readonly Argument<string> output = new("OUT") { Description = "The file to write; may be IN itself." };

    internal InitrdUnpatchCommand()
        : base("unpatch", "Take away what `patch` appended; the result is the original, byte for byte.", "hacktree initrd unpatch /boot/initrd.img-6.1.0-56-amd64 original.img")
    {
        Add(input);
        Add(output);
    }

    protected override int Run(Session session)
    {
        string place = session.Get(output);
        session.Note(InitrdPatch.Unpatch(session.Get(input), place) == PatchResult.Unchanged
            ? $"{place}: it was not patched"
            : $"{place}: the original again");
        return ExitCode.Done;
    }
}
