using System.CommandLine;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class ExportCommand : Verb
{
    private readonly Argument<string> revision;
    private readonly Option<string> tar = new("--tar")
    {
        Description = "The file to write; - is standard output.",
        HelpName = "FILE",
        Required = true,
    };

    internal ExportCommand()
        : base(
            "export",
            "Write a commit's tree as a tar archive. One commit always makes the same bytes.",
            "hacktree export debian/bookworm --tar root.tar",
            "hacktree export debian/bookworm --tar - | zstd > root.tar.zst")
    {
        revision = AddRevision("COMMIT", "The commit: a ref, REF^, REF~3, or an id or its beginning.");
        Add(tar);
    }

    // What went into a pipe cannot be taken back, and the pipe's reader may keep the command waiting in write(2).
    protected override StopWay WayToStop(Session session) => session.Get(tar) == "-" ? StopWay.EndAtOnce : StopWay.TakeBack;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        store.RequireReadable();
        Digest commit = Revision.Resolve(store, session.Get(revision));
        var progress = new Progress { TotalFiles = store.Packs.ReadCommit(commit).Files };
        using ProgressLine? line = session.Show("exporting", progress);
        if (session.Get(tar) == "-")
        {
            if (StandardOutput.IsTerminal)
            {
                throw new UsageException(
                    "an archive is not readable on a terminal; send standard output to a file or a program, or give --tar FILE");
            }

            TarExport.Run(store, commit, Session.Output, progress);
            return ExitCode.Done;
        }

        using var output = OutputFile.Create(session.Get(tar)!);
        TarExport.Run(store, commit, output.Stream, progress);
        output.Complete();
        return ExitCode.Done;
    }

    protected override string Undone(Session session) => $"{session.Get(tar)} was not written";
}
