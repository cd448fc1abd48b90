using System.Collections.Immutable;
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using HackTree.Boot;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

internal sealed class CommitCommand : Verb
{
    private readonly Argument<string?> tree = new("TREE") { Description = "The directory to commit.", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<string> name = new("-b", "--branch")
    {
        Description = "The ref to set to the new commit. The commit that it names now becomes the parent.",
        HelpName = "REF",
        Required = true,
    };

    private readonly Option<string?> subject = new("-s", "--subject") { Description = "One line that describes the commit.", HelpName = "TEXT" };
    private readonly Option<string[]> messages = new("-m", "--message")
    {
        Description = "The message: its first line is the subject, the rest the body. With -s all of it is the body. May be repeated.",
        HelpName = "TEXT",
    };

    private readonly Option<string?> body = new("--body") { Description = "Further description.", HelpName = "TEXT" };
    private readonly Option<string[]> meta = new("--meta") { Description = "An annotation; may be repeated.", HelpName = "KEY=VALUE" };
    private readonly Option<string?> parent = new("--parent")
    {
        Description = "The parent, instead of the commit that REF names. A new REF's parent is the commit of the root that TREE is, if it is one.",
        HelpName = "COMMIT",
    };

    private readonly Option<bool> skip = new("--skip-if-unchanged")
    {
        Description = "Make no commit if TREE is as the commit that REF names, and print the id of that one.",
    };

    private readonly Option<bool> consume = new("--consume") { Description = "Move the files into the store. TREE is gone afterwards." };
    private readonly Option<string[]> exclude = new("--exclude")
    {
        Description = "Leave out names that match, at any depth ('*.pyc'); with a '/', paths from the top of TREE ('/var/cache/*'). May be repeated.",
        HelpName = "GLOB",
    };

    private readonly Option<string[]> excludeXattr = new("--exclude-xattr")
    {
        Description = "Leave out extended attributes whose names match, such as 'user.*'. May be repeated.",
        HelpName = "GLOB",
    };

    private readonly Option<bool> noXattrs = new("--no-xattrs") { Description = "Leave out all extended attributes, access control lists and file capabilities too." };
    private readonly Option<bool> clampTimes = new("--clamp-times")
    {
        Description = "Replace times that the store's filesystem cannot hold by the nearest that it can. Otherwise they are refused.",
    };

    private readonly Option<bool> seal = new("--seal")
    {
        Description = "Leave out what belongs to one machine: machine-id, ssh host keys, random seeds, leases, logs. README.md has the list.",
    };

    private readonly Option<bool> unlocked = new("--unlocked")
    {
        Description = "Commit the running root as `hacktree unlock` made it writable: its commit with what was changed since.",
    };

    private readonly Option<string?> tar = new("--tar") { Description = "Commit the tree in a tar archive, compressed or not; - is standard input.", HelpName = "FILE" };

    private readonly Option<string?> sign = new("--sign") { Description = $"Sign the commit. {SignCommand.KeyDescription}", HelpName = "FILE" };

    private readonly Option<bool> json = Json();

    internal CommitCommand()
        : base(
            "commit",
            "Turn a directory or a tar archive into a commit.",
            "hacktree commit -b debian/bookworm -m 'with openssh' --exclude '/proc/*' ./rootfs",
            "hacktree commit -b layer --tar layer.tar.gz",
            "hacktree commit -b fixed --unlocked")
    {
        Details = "Prints the commit's id. $SOURCE_DATE_EPOCH sets its time. Filesystems that are mounted below TREE are left out.";
        name.CompletionSources.Add(Completions.Refs);
        parent.CompletionSources.Add(Completions.Refs);
        Add(tree);
        Option[] options =
        [
            name, messages, subject, body, meta, parent, skip, consume, exclude, seal, excludeXattr, noXattrs, clampTimes, tar, unlocked, sign, json,
        ];
        foreach (Option option in options)
        {
            Add(option);
        }

        AddRule(result =>
        {
            bool isTar = result.GetResult(tar) is not null, isUnlocked = result.GetValue(unlocked);
            if (new[] { isTar, result.GetValue(tree) is not null, isUnlocked }.Count(isGiven => isGiven) != 1)
            {
                result.AddError("give either a directory, TREE, or an archive, --tar FILE, or --unlocked");
            }
            else if (isUnlocked && result.GetValue(consume))
            {
                result.AddError("--consume takes a directory, not the running root");
            }
            else if (result.GetValue(seal) && result.GetValue(consume))
            {
                result.AddError("--seal leaves files out, and --consume takes all: give one of the two");
            }
            else if (isTar && result.GetValue(consume))
            {
                result.AddError("--consume takes a directory, not an archive");
            }
            else if (result.GetValue(clampTimes) && result.GetValue(consume))
            {
                result.AddError("--consume moves files as they are, so it does not go with --clamp-times");
            }
            else if (result.GetValue(skip) && result.GetValue(consume))
            {
                result.AddError("give one of --skip-if-unchanged and --consume");
            }
        });
    }

    protected override int Run(Session session)
    {
        long started = Stopwatch.GetTimestamp();
        CommitRequest request = Request(session);
        SigningKey? signer = session.Get(sign) is { } file ? SigningKey.Open(file) : null;
        var options = new ImportOptions
        {
            Excludes = [.. (session.Get(exclude) ?? []).Select(glob => new PathGlob(glob)), .. session.Get(seal) ? MachineTraces.Left : []],
            Emptied = session.Get(seal) ? MachineTraces.Emptied : [],
            XattrExcludes = [.. (session.Get(excludeXattr) ?? []).Select(glob => new PathGlob(glob))],
            LeavesOutAllXattrs = session.Get(noXattrs),
            ClampsTimes = session.Get(clampTimes),
            Progress = new Progress(),
        };
        using ObjectStore store = session.OpenStoreToWrite();
        store.Refs.RequireFree(request.Ref);
        UnlockedRoot? running = session.Get(unlocked) ? UnlockedRoot.Find(store) : null;
        request = request with { Parent = ParentOf(session, store, request.Ref, running) };
        using TreeConsume? consumed = session.Get(consume) ? Begin(session, store) : null;
        options = options with { Consume = consumed };
        using var additions = new Additions(store);
        ImportResult result = Import(session, additions, options, running);
        foreach (string note in result.Notes)
        {
            session.Note(note);
        }

        if (CommitText.Healed(store) is { } healed)
        {
            Failure.Say(healed);
        }

        Digest before = request.Parent.IsNone ? store.Refs.Find(request.Ref) : request.Parent;
        bool isUnchanged = IsTreeOf(store, before, result);
        if (session.Get(skip) && IsTreeOf(store, store.Refs.Find(request.Ref), result))
        {
            session.Note($"{request.Ref}: nothing has changed, and no commit was made");
            return Print(session, store.Refs.Find(request.Ref), request.Ref, isNew: false);
        }

        long newTrees = additions.Pack.Count;
        Digest commit = Committer.Run(additions, result, request with { Consumed = consumed });
        int code = consumed is null ? ExitCode.Done : Finish(session, consumed, result);
        session.Note(isUnchanged ? $"nothing has changed since commit {CommitText.Short(before)}" : null);
        session.Note($"{HumanText.Count(result.Files, "file")}, {HumanText.Bytes(result.ContentBytes)}; "
            + $"new: {HumanText.Count(store.Blobs.Added, "object")}, {HumanText.Bytes(store.Blobs.AddedBytes)}, {HumanText.Count(newTrees, "tree")}, "
            + $"a pack of {HumanText.Bytes(additions.Pack.Length)}; {HumanText.Duration(Stopwatch.GetElapsedTime(started))}");
        Print(session, commit, request.Ref, isNew: true);
        Sign(store, commit, signer);
        return code;
    }

    /// <summary>The commit that --parent names, or that of the root which becomes a commit of a new ref; none if the ref decides.</summary>
    private Digest ParentOf(Session session, ObjectStore store, string refName, UnlockedRoot? running)
    {
        if (session.Get(parent) is { } revision)
        {
            return Revision.Resolve(store, revision);
        }

        if (running is not null)
        {
            return store.Refs.Find(refName).IsNone ? running.Commit : default;
        }

        // What is consumed is no root.
        if (session.Get(consume) || session.Get(tree) is not { } path || !store.Refs.Find(refName).IsNone
            || RunningRoot.RecordOf(store, path) is not { } record || !store.Packs.TryReadCommit(record.Commit, out _))
        {
            return default;
        }

        session.Note($"the parent is {CommitText.Short(record.Commit)}, the commit of the root {store.Roots.AbsolutePath(record)}");
        return record.Commit;
    }

    private static bool IsTreeOf(ObjectStore store, Digest commit, ImportResult tree) =>
        !commit.IsNone && store.Packs.TryReadCommit(commit, out Commit? read) && tree.IsTreeOf(read);

    /// <summary>Signs the commit, which its ref names already. So who is asked for a passphrase keeps nobody from the store.</summary>
    private static void Sign(ObjectStore store, Digest commit, SigningKey? key)
    {
        try
        {
            _ = key is null ? null : CommitSignatures.Sign(store, commit, key);
        }
        catch (StoreException e)
        {
            throw new StoreException($"commit {CommitText.Short(commit)} was made and is not signed: {e.Message}", e.Remedy);
        }
    }

    private int Print(Session session, Digest commit, string refName, bool isNew)
    {
        CommitText.Print(commit, refName, session.Get(json), isNew);
        return ExitCode.Done;
    }

    /// <summary>Removes the tree that was committed. Says which names stayed, and why.</summary>
    private int Finish(Session session, TreeConsume consumed, ImportResult result)
    {
        string path = session.Get(tree)!;
        ConsumeResult outcome = consumed.Finish(result);
        Say(session, outcome, path);
        return outcome.IsDone ? ExitCode.Done : ExitCode.Failed;
    }

    /// <summary>Begins to consume the tree. If an earlier command has committed it, says which names that command left, and why.</summary>
    private TreeConsume Begin(Session session, ObjectStore store)
    {
        try
        {
            return TreeConsume.Begin(store, session.Get(tree)!, Failure.Say);
        }
        catch (ConsumedBeforeException e)
        {
            Say(session, e.Result, session.Get(tree)!);
            throw;
        }
    }

    private static void Say(Session session, ConsumeResult outcome, string path)
    {
        foreach (string note in ConsumeText.Notes(outcome, path))
        {
            session.Note(note);
        }

        foreach (string failure in ConsumeText.Failures(outcome, path))
        {
            Failure.Say(failure);
        }
    }

    protected override string Undone(Session session) => "nothing was committed";

    private ImportResult Import(Session session, Additions additions, ImportOptions options, UnlockedRoot? running)
    {
        using ProgressLine? line = session.Show("committing", options.Progress!);
        if (running is not null)
        {
            return running.Import(additions, options);
        }

        if (session.Get(tar) is not { } archive)
        {
            string place = RunningRoot.Find(additions.Store, session.Get(tree)!);
            if (place != session.Get(tree))
            {
                session.Note($"{session.Get(tree)} is {place}, and is committed as it is there: without what is mounted over it");
            }

            return TreeImport.Run(additions, place, options);
        }

        try
        {
            using Stream input = Streams.OpenInput(archive);
            return TarImport.Run(additions, input, options);
        }
        catch (TarException e) when (e.Cause is { } cause)
        {
            throw new LinuxException(cause.Errno, cause.Call, $"{ArchiveName(archive)}: {cause.Subject}");
        }
        catch (IOException e) when (e is not LinuxException)
        {
            // A TarException has the place in the archive, but not the archive's name. Another read error does not have the name either.
            throw new StoreException($"{ArchiveName(archive)}: {e.Message}", (e as TarException)?.Remedy);
        }
    }

    private static string ArchiveName(string archive) => archive == "-" ? "standard input" : archive;

    /// <summary>Checks the whole command line before anything is read.</summary>
    private CommitRequest Request(Session session)
    {
        RefName.Require(session.Get(name)!);
        IEnumerable<string> more = session.Get(body) is { } last ? [last] : [];
        (string line, string text) = CommitMessage.Of(session.Get(subject), [.. session.Get(messages) ?? [], .. more]);
        return new CommitRequest
        {
            Ref = session.Get(name)!,
            Subject = line,
            Body = text,
            Annotations = Annotations(session.Get(meta) ?? []),
            Time = CommitTime(),
        };
    }

    private static ImmutableSortedDictionary<string, string> Annotations(string[] given)
    {
        var annotations = Commit.NoAnnotations.ToBuilder();
        foreach (string pair in given)
        {
            int equals = pair.IndexOf('=', StringComparison.Ordinal);
            string key = equals < 0 ? "" : pair[..equals];
            if (!Commit.IsAnnotationKey(key) || !Commit.IsLine(pair[(equals + 1)..]))
            {
                throw new UsageException(
                    $"'{pair}' is no annotation; write --meta KEY=VALUE, with a key of letters, digits, '.', '_' and '-' and a value of one line");
            }

            annotations[key] = pair[(equals + 1)..];
        }

        return annotations.ToImmutable();
    }

    /// <summary>The commit's time: now, or the time that a reproducible build sets.</summary>
    internal static long CommitTime()
    {
        if (Environment.GetEnvironmentVariable("SOURCE_DATE_EPOCH") is not { Length: > 0 } epoch)
        {
            return DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        }

        return long.TryParse(epoch, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long seconds)
            ? seconds
            : throw new UsageException($"SOURCE_DATE_EPOCH is '{epoch}'; it must be a number of seconds since 1970");
    }
}
