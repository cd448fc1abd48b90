using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class CheckoutCommand : Verb
{
    private readonly Argument<string> revision;
    private readonly Argument<string> destination = new("DEST") { Description = "The directory to make." };
    private readonly Option<string?> subpath = new("--subpath") { Description = "Check out only this part of the tree.", HelpName = "PATH" };
    private readonly Option<bool> copy = new("--copy")
    {
        Description = "Make copies of the files, on any filesystem, for a root that will be written to.",
    };

    private readonly Option<bool> reflink = new("--reflink")
    {
        Description = "Make copies that share space with the store until they are written to (XFS, btrfs).",
    };

    private readonly Option<bool> boot = new("--boot")
    {
        Description = "Make a root to boot with / read-only: files below /etc are copies, and missing mount points are made.",
    };

    private readonly Option<string?> from = new("--from")
    {
        Description = "Turn this root into DEST, which costs only the difference. The root and all changes in it are gone then.",
        HelpName = "ROOT",
    };

    private readonly Option<bool> reuse = new("--reuse")
    {
        Description = "Turn the oldest root beside DEST that is neither used nor pinned into DEST, as with --from. The newest one is never taken.",
    };

    private readonly Option<bool> json = Json();
    private readonly Option<bool> force = new("--force") { Description = "Replace an existing DEST, in one step." };

    internal CheckoutCommand()
        : base(
            "checkout",
            "Turn a commit into a root, a directory of hardlinks to the store's objects.",
            "hacktree checkout debian/bookworm /r1",
            "hacktree checkout --boot debian/bookworm /r1",
            "hacktree checkout --from /r0 debian/bookworm /r2",
            "hacktree checkout --copy --subpath etc debian/bookworm^ /tmp/old-etc")
    {
        revision = AddRevision("COMMIT", "The commit: a ref, REF^, REF~3, or an id or its beginning.");
        from.CompletionSources.Add(Completions.RootPaths);
        Add(destination);
        Add(subpath);
        Add(copy);
        Add(reflink);
        Add(boot);
        Add(from);
        Add(reuse);
        Add(force);
        Add(json);
        Details = "A root of hardlinks shares its files with the store and with every other root that has them. Never write into one, and run no "
            + "apt, dpkg or chroot in it: they replace most files, but write into logs, databases and locks, and such a write changes the store. To "
            + "change a root, check out with --copy or --reflink, change that, and commit it. `hacktree roots check` finds what was written.";
        AddRule(result =>
        {
            if (result.GetValue(copy) && result.GetValue(reflink))
            {
                result.AddError("give one of --copy and --reflink");
            }

            bool isAdvance = result.GetValue(from) is not null || result.GetValue(reuse);
            if (result.GetValue(boot) && (isAdvance || result.GetValue(subpath) is not null))
            {
                result.AddError("--boot makes a whole new root: leave out --from, --reuse and --subpath");
            }

            if (isAdvance && (result.GetValue(copy) || result.GetValue(reflink) || result.GetValue(subpath) is not null))
            {
                result.AddError("--from and --reuse make whole roots of hardlinks: leave out --copy, --reflink and --subpath");
            }

            if (result.GetValue(from) is not null && result.GetValue(reuse))
            {
                result.AddError("give one of --from and --reuse");
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
            Boot = session.Get(boot),
            Progress = new Progress { TotalFiles = part.Length == 0 ? store.Packs.ReadCommit(commit).Files : 0 },
        };
        string? old = session.Get(reuse) ? RootAdvance.FindSpare(store, session.Get(destination)) : session.Get(from);
        if (session.Get(reuse) && old is null)
        {
            session.Note("no root beside it can be reused; checking out anew");
        }

        Made made = old is null ? CheckOut(session, store, commit, options) : Advance(session, store, commit, old, options);
        NoteUnrestored(session, made.Unrestored);
        session.Note($"{made.Path}: {made.Summary}, commit {CommitText.Short(commit)}; {HumanText.Duration(Stopwatch.GetElapsedTime(started))}");
        if (options.Method == CheckoutMethod.Hardlink)
        {
            session.Note($"{made.Path}: its files are the store's; do not write into it, nor run apt there: change a root made with --copy or --reflink");
        }

        if (session.Get(json))
        {
            JsonText.Write(writer => WriteJson(writer, made, commit, options));
        }

        return ExitCode.Done;
    }

    private static void WriteJson(Utf8JsonWriter writer, Made made, Digest commit, CheckoutOptions options)
    {
        writer.WriteStartObject();
        writer.WriteBytes("path", ByteText.FromArgument(made.Path));
        writer.WriteDigest("commit", commit);
        writer.WriteString("method", options.Method.ToString().ToLowerInvariant());
        writer.WriteNumber("files", made.Files);
        writer.WritePropertyName("changes");
        if (made.Changes is { } changes)
        {
            writer.WriteNumberValue(changes);
        }
        else
        {
            writer.WriteNullValue();
        }

        writer.WriteEndObject();
    }

    protected override string Undone(Session session) => $"{session.Get(destination)} was not made";

    /// <summary>The root that was made. <paramref name="Changes"/> is null if it was made anew.</summary>
    private sealed record Made(string Path, long Files, long? Changes, string Summary, Unrestored Unrestored);

    private Made CheckOut(Session session, ObjectStore store, Digest commit, CheckoutOptions options)
    {
        CheckoutResult result;
        using (session.Show("checking out", options.Progress!))
        {
            result = RootBuilder.Run(store, commit, session.Get(revision), session.Get(destination), options);
        }

        return new Made(result.Path, result.Files, Changes: null, HumanText.Count(result.Files, "file"), result.Unrestored);
    }

    private Made Advance(Session session, ObjectStore store, Digest commit, string old, CheckoutOptions options)
    {
        options.Progress!.TotalFiles = 0;
        AdvanceResult result;
        using (session.Show("changing", options.Progress))
        {
            result = RootAdvance.Run(store, old, commit, session.Get(revision), session.Get(destination), options);
        }

        string changes = $"{HumanText.Count(result.Changes, "name")} of {HumanText.Count(result.Files, "file")}";
        return new Made(result.Path, result.Files, result.Changes, $"{changes} changed in what was {old}", result.Unrestored);
    }

    private static void NoteUnrestored(Session session, Unrestored unrestored)
    {
        if (unrestored.FirstCopy is { } copy)
        {
            string more = unrestored.Copies == 1 ? " is a copy" : $" and {unrestored.Copies - 1} more are copies";
            session.Note($"{copy}{more}: the store's file is immutable or append-only, as `lsattr {copy}` shows in another root; `chattr -ia` there ends that");
        }

        if (unrestored.Summary() is { } lost)
        {
            session.Note(lost);
        }
    }
}
