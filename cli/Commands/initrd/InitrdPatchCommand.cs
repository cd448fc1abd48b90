using System.CommandLine;
using HackTree.Boot;

namespace HackTree.Cli;

internal sealed class InitrdPatchCommand : Verb
{
    private readonly Argument<string> input = new("IN") { Description = "The initrd." };
    private readonly Argument<string> output = new("OUT") { Description = "The patched initrd; may be IN itself." };
    private readonly Option<bool> classic = new("--classic") { Description = "Repack the initrd with a patched init and switch_root." };
    private readonly Option<string?> init = new("--init")
    {
        Description = "With --classic: the init of initramfs-tools that knows subroot=.",
        HelpName = "FILE",
    };

    private readonly Option<string?> switchRoot = new("--switch-root")
    {
        Description = "With --classic: a static switch_root that knows --subroot.",
        HelpName = "FILE",
    };

    internal InitrdPatchCommand()
        : base(
            "patch",
            "Append to an initrd what it needs to boot a root by name (subroot=).",
            "hacktree initrd patch /boot/initrd.img-6.1.0-56-amd64 /boot/initrd.img-6.1.0-56-amd64",
            "hacktree initrd patch --classic --init out/classic/init --switch-root out/classic/switch_root /boot/initrd.img-6.1.0-56-amd64 classic.img")
    {
        Add(input);
        Add(output);
        Add(classic);
        Add(init);
        Add(switchRoot);
        AddRule(result =>
        {
            int given = (result.GetValue(init) == null ? 0 : 1) + (result.GetValue(switchRoot) == null ? 0 : 1);
            if (given != (result.GetValue(classic) ? 2 : 0))
            {
                result.AddError("--classic, --init and --switch-root go together; boot/patches/build.sh makes the two files");
            }
        });
        Details = "The initrd's own bytes stay unchanged, and `hacktree initrd unpatch` restores the original. Patching again changes nothing, "
            + "unless another version of hacktree patched it before. --classic cannot be undone, so keep IN.";
    }

    protected override int Run(Session session)
    {
        string place = session.Get(output);
        if (session.Get(classic))
        {
            ClassicInitrd.Patch(session.Get(input), place, session.Get(init)!, session.Get(switchRoot)!, Session.Stop);
            session.Note($"{place}: repacked, with the classic chain in it");
            return ExitCode.Done;
        }

        session.Note(InitrdPatch.Patch(session.Get(input), place, Session.Stop, session.Note) switch
        {
            PatchResult.Unchanged => $"{place}: it has HackTree's files already",
            PatchResult.Replaced => $"{place}: patched; the segment of another version was replaced",
            _ => $"{place}: patched",
        });
        return ExitCode.Done;
    }

    protected override string Undone(Session session) => $"{session.Get(output)} is what it was";
}
