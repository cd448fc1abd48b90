using System.CommandLine;
using HackTree.Boot;

namespace HackTree.Cli;

internal sealed class InitrdSegmentCommand : Verb
{
    private readonly Option<string> output = new("--output", "-o") { Description = "The file to write; - is standard output.", HelpName = "FILE", Required = true };

    internal InitrdSegmentCommand()
        : base("segment", "Write the segment alone, for a boot loader that takes two initrds.", "hacktree initrd segment -o /boot/hacktree.cpio.gz")
    {
        Add(output);
        Details = "Packed with gzip, always the same bytes. GRUB: initrd /boot/initrd.img-VERSION /boot/hacktree.cpio.gz";
    }

    protected override int Run(Session session)
    {
        string place = session.Get(output)!;
        if (place != "-")
        {
            InitrdPatch.WriteSegment(place);
            return ExitCode.Done;
        }

        if (StandardOutput.IsTerminal)
        {
            throw new UsageException("an archive is nothing to look at; send standard output to a file, or give -o FILE");
        }

        Session.Output.Write(InitrdPatch.Segment());
        return ExitCode.Done;
    }
}
