using System.CommandLine;
using HackTree.Boot;

namespace HackTree.Cli;

internal sealed class InitrdSegmentCommand : Verb
{
    private readonly Option<string> output = new("--output", "-o")
    {
        Description = "The file to write; - is standard output.",
        HelpName = "FILE",
        Required = true,
    };

    internal InitrdSegmentCommand()
        : base(
            "segment",
            "Write the segment that `patch` appends as a separate initrd, for boot loaders that load two.",
            "hacktree initrd segment -o /boot/hacktree.cpio.gz")
    {
        Add(output);
        Details = "Zeros and an archive packed with gzip: so it can follow any initrd. Its bytes are always the same. In GRUB's menu:\n"
            + "initrd /boot/initrd.img-VERSION /boot/hacktree.cpio.gz";
    }

    protected override int Run(Session session)
    {
        string place = session.Get(output)!;
        if (place != OutputFile.Standard)
        {
            InitrdPatch.WriteSegment(place);
            return ExitCode.Done;
        }

        using var file = OutputFile.CreateOrStandard(place, "an archive", "-o FILE");
        file.Stream.Write(InitrdPatch.Segment());
        file.Complete();
        return ExitCode.Done;
    }
}
