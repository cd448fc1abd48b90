using System.CommandLine;
using System.Diagnostics;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class CheckoutCommand : Verb
{
    private readonly Argument<string> revision;
    private readonly Argument<string> destination = new("DEST") { Description = "The directory to make." };
    private readonly Option<string?> subpath = new("--subpath") { Description = "Only this part of the tree.", HelpName = "PATH" };
    private readonly Option<bool> copy = new("--copy") { Description = "Files of their own, on any filesystem: for a tree that will be written to." };
    private readonly Option<bool> reflink = new("--reflink") { Description = "Files of their own that share space with the store until written to (XFS, btrfs)." };
    private readonly Option<bool> force = new("--force") { Description = "Replace what is at DEST, in one step." };

    internal CheckoutCommand()
        : base("checkout", "Turn a commit into a root, a directory of hardlinks to the store's objects.", "hacktree checkout debian/bookworm /r1", "hacktree checkout --copy --subpath etc debian/bookworm^ /tmp/old-etc")
    {
        revision = AddRevision("COMMIT", "The commit: a ref, REF^, REF~3, or an id or its beginning.");
        Add(destination);
        Add(subpath);
        Add(copy);
        Add(reflink);
        Add(force);
        Details = "What is written to a hardlinked file is written to the store, and to every root that has it: replace files\n"
            + "there (as package managers do), or check out with --copy or --reflink.";
        Validators.Add(result =>
        {
            if (result.GetValue(copy) && result.GetValue(reflink))
            {
                result.AddError("Give one of --copy and --reflink");
            }
        });
    }

    protected override int Run(Session session)
    {
        long started = Stopwatch.GetTimestamp();
        string part = session.Get(subpath)?.Trim('/') ?? "";
        using ObjectStore store = session.OpenStoreToWrite();
        Digest commit = Revision.Resolve(store, session.Get(revision));
        var options = new CheckoutOptions
        {
            Method = session.Get(copy) ? CheckoutMethod.Copy : session.Get(reflink) ? CheckoutMethod.Reflink : CheckoutMethod.Hardlink,
            Subpath = part,
            Force = session.Get(force),
            Progress = new Progress { TotalFiles = part.Length == 0 ? store.Packs.ReadCommit(commit).Files : 0 },
        };
        CheckoutResult result;
        using (session.Show("checking out", options.Progress))
        {
            result = RootBuilder.Run(store, commit, session.Get(revision), session.Get(destination), options);
        }

        if (result.Unrestored.Summary() is { } lost)
        {
            session.Note(lost);
        }

        session.Note($"{result.Path}: {HumanText.Count(result.Files, "file")}; {HumanText.Duration(Stopwatch.GetElapsedTime(started))}");
        return ExitCode.Done;
    }
}
