using System.CommandLine;
using HackTree.Boot;

namespace HackTree.Cli;

internal sealed class InitrdExtractCommand : Verb
{
    private readonly Argument<string> input = InitrdCommand.Input();
    private readonly Argument<string> directory = new("DIR") { Description = "The directory to unpack into: a new or an empty one." };

    internal InitrdExtractCommand()
        : base(
            "extract",
            "Unpack an initrd into a directory, as the kernel would.",
            "hacktree initrd extract /boot/initrd.img-6.1.0-56-amd64 initramfs")
    {
        Add(input);
        Add(directory);
        Details = "Later segments overwrite earlier ones. Nothing is written outside the directory.";
    }

    protected override int Run(Session session)
    {
        using InitrdReader reader = InitrdReader.Open(session.Get(input), Session.Stop);
        InitrdExtract extract = InitrdExtract.Run(reader, session.Get(directory));
        if (extract.SkippedDevices > 0)
        {
            session.Note($"{HumanText.Count(extract.SkippedDevices, "device node")} left out: only root can make device nodes");
        }

        string entries = HumanText.Count(extract.Entries, "entry", "entries");
        session.Note($"{session.Get(directory)}: {entries} of {HumanText.Count(reader.Segment.Number, "segment")}");
        return ExitCode.Done;
    }

    protected override string Undone(Session session) => $"{session.Get(directory)} holds a part of the initrd; remove it and try again";
}
