using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using HackTree.Boot;
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

    private readonly Option<bool> readOnly = new("--readonly")
    {
        Description = "Mount the root over itself, read-only, until `roots rm` or a restart: to look at, or to share with containers.",
    };

    private readonly Option<string?> from = new("--from")
    {
        Description = "Turn this root into DEST, which costs only the difference. The root and all changes in it are gone then.",
        HelpName = "ROOT",
    };

    private readonly Option<bool> reuse = new("--reuse")
    {
        Description = "Turn the oldest root beside DEST that is neither used nor pinned into DEST, as with --from. The newest one is never taken. With "
            + "--boot, one of those that `gc --keep 1` would remove.",
    };

    private readonly Option<bool> composefs = new("--composefs")
    {
        Description = "Make only an image of all names, the file DEST, for mount.composefs with the store's files/ as its basedir. With --boot, make a root "
            + "that is such an image, which is mounted at boot.",
    };

    private readonly Option<bool> union = new("--union")
    {
        Description = "Lay the tree over the directory DEST, which is no root: its files replace others, and what it has not stays. Nothing records it.",
    };

    private readonly Option<bool> json = Json();
    private readonly Option<bool> force = new("--force") { Description = "Replace an existing DEST, in one step." };

    internal CheckoutCommand()
        : base(
            "checkout",
            "Turn a commit into a root, a directory of hardlinks to the store's objects.",
            "hacktree checkout debian/bookworm /r1",
            "hacktree checkout --boot debian/bookworm /r1",
            "hacktree checkout --readonly debian/bookworm /mnt/look",
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
        Add(readOnly);
        Add(from);
        Add(reuse);
        Add(composefs);
        Add(union);
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

            if (result.GetValue(readOnly)
                && (result.GetValue(copy) || result.GetValue(reflink) || result.GetValue(boot) || result.GetValue(subpath) is not null))
            {
                result.AddError("--readonly is for whole roots of hardlinks: leave out --copy, --reflink, --boot and --subpath");
            }

            bool isAdvance = result.GetValue(from) is not null || result.GetValue(reuse);
            if (result.GetValue(boot) && result.GetValue(subpath) is not null)
            {
                result.AddError("--boot makes a whole root: leave out --subpath");
            }

            if (isAdvance && (result.GetValue(copy) || result.GetValue(reflink) || result.GetValue(subpath) is not null))
            {
                result.AddError("--from and --reuse make whole roots of hardlinks: leave out --copy, --reflink and --subpath");
            }

            if (result.GetValue(from) is not null && result.GetValue(reuse))
            {
                result.AddError("give one of --from and --reuse");
            }

            bool isRoot = isAdvance || result.GetValue(copy) || result.GetValue(reflink) || result.GetValue(readOnly);
            if (result.GetValue(composefs) && (isRoot || result.GetValue(subpath) is not null))
            {
                result.AddError("--composefs makes an image: only --boot and --force go with it");
            }

            bool isNew = isAdvance || result.GetValue(boot) || result.GetValue(readOnly) || result.GetValue(composefs) || result.GetValue(force);
            if (result.GetValue(union) && isNew)
            {
                result.AddError("--union makes no root: only --copy, --reflink and --subpath go with it");
            }
        });
    }

    protected override int Run(Session session)
    {
        long started = Stopwatch.GetTimestamp();
        string part = session.Get(subpath)?.Trim('/') ?? "";
        if (session.Get(readOnly))
        {
            ReadOnlyMount.RequireRight();
        }

        using ObjectStore store = session.OpenStoreToWrite();
        Digest commit = Revision.Resolve(store, session.Get(revision));
        if (session.Get(composefs) && !session.Get(boot))
        {
            return MakeImage(session, store, commit);
        }

        var options = new CheckoutOptions
        {
            Method = session.Get(copy) ? CheckoutMethod.Copy
                : session.Get(reflink) ? CheckoutMethod.Reflink
                : session.Get(composefs) ? CheckoutMethod.Image
                : CheckoutMethod.Hardlink,
            Subpath = part,
            Force = session.Get(force),
            Boot = session.Get(boot),
            Progress = new Progress { TotalFiles = part.Length == 0 && !session.Get(composefs) ? store.Packs.ReadCommit(commit).Files : 0 },
        };
        if (session.Get(union))
        {
            return LayOver(session, store, commit, options);
        }

        string? old = session.Get(reuse) ? FindSpare(session, store) : session.Get(from);
        if (session.Get(reuse) && old is null)
        {
            session.Note("no root beside it can be reused; checking out anew");
        }

        Made made = old is null ? CheckOut(session, store, commit, options) : Advance(session, store, commit, old, options);
        NoteUnrestored(session, made.Unrestored);
        session.Note($"{made.Path}: {made.Summary}, commit {CommitText.Short(commit)}; {HumanText.Duration(Stopwatch.GetElapsedTime(started))}");
        if (session.Get(readOnly))
        {
            ReadOnlyMount.Make(made.Path);
            session.Note($"{made.Path}: mounted read-only, until `hacktree roots rm`, `umount` or a restart; its files can still be written to by other names");
        }
        else if (options.Method == CheckoutMethod.Hardlink)
        {
            session.Note($"{made.Path}: its files are the store's; do not write into it, nor run apt there: change a root made with --copy or --reflink");
        }

        if (session.Get(json))
        {
            JsonText.Write(writer => WriteJson(writer, made, commit, options, session.Get(readOnly)));
        }

        return ExitCode.Done;
    }

    private int LayOver(Session session, ObjectStore store, Digest commit, CheckoutOptions options)
    {
        CheckoutResult result;
        options.Progress!.TotalFiles = 0;
        using (session.Show("checking out", options.Progress))
        {
            result = TreeUnion.Run(store, commit, session.Get(revision), session.Get(destination), options);
        }

        NoteUnrestored(session, result.Unrestored);
        session.Note($"{result.Path}: {HumanText.Count(result.Files, "file")} laid over what was there, commit {CommitText.Short(commit)}");
        if (options.Method == CheckoutMethod.Hardlink)
        {
            session.Note($"{result.Path}: those files are the store's; do not write into them");
        }

        if (session.Get(json))
        {
            var made = new Made(result.Path, result.Files, Changes: null, "", result.Unrestored);
            JsonText.Write(writer => WriteJson(writer, made, commit, options, isReadOnly: false));
        }

        return ExitCode.Done;
    }

    private int MakeImage(Session session, ObjectStore store, Digest commit)
    {
        string path = session.Get(destination);
        ImageFacts image = CommitImage.Write(store, commit, path, session.Get(force));
        session.Note($"{path}: {HumanText.Bytes(image.Length)}, commit {CommitText.Short(commit)}; its content is in {store.Path}/files");
        if (session.Get(json))
        {
            JsonText.Write(writer =>
            {
                writer.WriteStartObject();
                writer.WriteBytes("path", ByteText.FromArgument(path));
                writer.WriteDigest("commit", commit);
                writer.WriteString("method", "composefs");
                writer.WriteDigest("image", image.Digest);
                writer.WriteNumber("bytes", image.Length);
                writer.WriteEndObject();
            });
        }

        return ExitCode.Done;
    }

    private static void WriteJson(Utf8JsonWriter writer, Made made, Digest commit, CheckoutOptions options, bool isReadOnly)
    {
        writer.WriteStartObject();
        writer.WriteBytes("path", ByteText.FromArgument(made.Path));
        writer.WriteDigest("commit", commit);
        writer.WriteString("method", options.Method.ToString().ToLowerInvariant());
        writer.WriteBoolean("readOnly", isReadOnly);
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

    protected override string Undone(Session session) =>
        session.Get(union) ? $"{session.Get(destination)} is what it was" : $"{session.Get(destination)} was not made";

    /// <summary>The root that was made. <paramref name="Changes"/> is null if it was made anew.</summary>
    private sealed record Made(string Path, long Files, long? Changes, string Summary, Unrestored Unrestored);

    private Made CheckOut(Session session, ObjectStore store, Digest commit, CheckoutOptions options)
    {
        CheckoutResult result;
        using (session.Show("checking out", options.Progress!))
        {
            result = RootBuilder.Run(store, commit, session.Get(revision), session.Get(destination), options);
        }

        string what = options.Method == CheckoutMethod.Image ? "an image, mounted at boot" : HumanText.Count(result.Files, "file");
        return new Made(result.Path, result.Files, Changes: null, what, result.Unrestored);
    }

    /// <summary>The root that --reuse takes; null if there is none. Of roots that boot, one beside DEST that nothing calls for.</summary>
    private string? FindSpare(Session session, ObjectStore store)
    {
        string path = session.Get(destination);
        if (!session.Get(boot))
        {
            return RootAdvance.FindSpare(store, path);
        }

        var roots = new BootableRoots(store);
        return Path.GetDirectoryName(RealPath.OfName(path)) == roots.Physical && roots.FindSpare() is { } spare ? roots.PathOf(spare) : null;
    }

    private Made Advance(Session session, ObjectStore store, Digest commit, string old, CheckoutOptions options)
    {
        options.Progress!.TotalFiles = 0;
        AdvanceResult result;
        using (session.Show("changing", options.Progress))
        {
            result = new BootableRoots(store).Advance(old, commit, session.Get(revision), session.Get(destination), options);
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
