using System.CommandLine;
using System.CommandLine.Parsing;
using System.Diagnostics;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

internal sealed class CommitCommand : Verb
{
    private readonly CommitSource source = new();
    private readonly Option<string?> name = new("-b", "--branch")
    {
        Description = "The ref to set to the new commit. The commit that it names now becomes the parent.",
        HelpName = "REF",
    };

    private readonly Option<bool> orphan = new("--orphan")
    {
        Description = "Set no ref. Without --parent the commit has no parent. gc removes it, unless a ref is set to it or a root made of it before.",
    };

    private readonly CommitStory story = new();

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

    private readonly Option<bool> noXattrs = new("--no-xattrs")
    {
        Description = "Leave out all extended attributes, access control lists and file capabilities too.",
    };

    private readonly Option<bool> clampTimes = new("--clamp-times")
    {
        Description = "Replace times that the store's filesystem cannot hold by the nearest that it can. Otherwise they are refused.",
    };

    private readonly Option<bool> seal = new("--seal")
    {
        Description = "Leave out what belongs to one machine: machine-id, ssh host keys, random seeds, leases, logs. README.md has the list.",
    };

    private readonly OstreeOptions ostree = new();
    private readonly MetadataOptions metadata = new();
    private readonly Option<string?> sign = new("--sign") { Description = $"Sign the commit. {SignCommand.KeyDescription}", HelpName = "FILE" };

    private readonly Option<bool> json = Json();

    internal CommitCommand()
        : base(
            "commit",
            "Turn a directory, a tar archive or a container image into a commit.",
            "hacktree commit -b debian/bookworm -m 'with openssh' --exclude '/proc/*' ./rootfs",
            "hacktree commit -b layer --tar layer.tar.gz",
            "hacktree commit -b web --oci oci://registry.example.com/web:1.4",
            "hacktree commit -b web --tree debian/bookworm --tree ./overlay --tar more.tar",
            "hacktree commit -b fixed --unlocked",
            "hacktree commit -b debian --ostree /srv/repo --depth 10 debian/bookworm",
            "hacktree commit --orphan --timestamp 2026-11-23T04:17:32Z ./rootfs")
    {
        Details = "Prints the commit's id. Filesystems that are mounted below TREE are left out.";
        name.CompletionSources.Add(Completions.Refs);
        parent.CompletionSources.Add(Completions.Refs);
        source.AddArgumentTo(this);
        Option[] options =
        [
            name, orphan, .. story.Options, parent, skip, consume, exclude, seal, excludeXattr, noXattrs, clampTimes, .. metadata.Options, sign, json,
        ];
        foreach (Option option in options)
        {
            Add(option);
        }

        source.AddOptionsTo(this);
        foreach (Option option in ostree.Options)
        {
            Add(option);
        }

        AddRule(RequireOneName);
        AddRule(result =>
        {
            if (ostree.IsGiven(result))
            {
                Option[] others = [.. source.Options, .. metadata.Options, consume, exclude, seal, skip, clampTimes, .. story.OfOneCommit];
                ostree.Check(result, result.GetValue(source.Tree), others);
            }
            else if (source.Fault(result, result.GetValue(consume)) is { } fault)
            {
                result.AddError(fault);
            }
            else if (metadata.Given(result) is { } change && (result.GetValue(source.Tree) is null || result.GetValue(consume)))
            {
                result.AddError($"{change.Name} is for a directory, TREE, that is not consumed");
            }
            else if (result.GetValue(seal) && result.GetValue(consume))
            {
                result.AddError("--seal leaves files out, and --consume takes all: give one of the two");
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
        string? refName = session.Get(name);
        if (refName is not null)
        {
            RefName.Require(refName);
        }

        CommitRequest request = story.Request(session, refName);
        SigningKey? signer = session.Get(sign) is { } file ? SigningKey.Open(file) : null;
        ImportOptions options = ImportOptionsOf(session);
        using ObjectStore store = session.OpenStoreToWrite();
        if (refName is not null)
        {
            store.Refs.RequireFree(refName);
        }

        if (ostree.Source(session, source.Tree) is { } old)
        {
            request = request with { Parent = session.Get(parent) is { } given ? Revision.Resolve(store, given) : default };
            return RunOstree(session, store, old, request, options, signer);
        }

        source.Open(session, store);
        request = request with { Parent = ParentOf(session, store, refName) };
        using TreeConsume? consumed = session.Get(consume) ? Begin(session, store) : null;
        options = options with { Consume = consumed };
        using var additions = new Additions(store);
        ImportResult result = source.Import(session, additions, options, request);
        options.Changes?.RequireUsed();
        request = request with { Annotations = source.Annotations.SetItems(request.Annotations) };
        foreach (string note in result.Notes)
        {
            session.Note(note);
        }

        if (CommitText.Healed(store) is { } healed)
        {
            Failure.Say(healed);
        }

        Digest named = CommitOf(store, refName);
        Digest before = request.Parent.IsNone ? named : request.Parent;
        bool isUnchanged = IsTreeOf(store, before, result);
        if (session.Get(skip) && IsTreeOf(store, named, result))
        {
            session.Note($"{refName}: nothing has changed, and no commit was made");
            Print(session, named, refName, isNew: false);
            Sign(store, named, signer);
            return ExitCode.Done;
        }

        long newTrees = additions.Pack.Count;
        Digest commit = Committer.Run(additions, result, request with { Consumed = consumed });
        source.Remember();
        int code = consumed is null ? ExitCode.Done : Finish(session, consumed, result);
        session.Note(isUnchanged ? $"nothing has changed since commit {CommitText.Short(before)}" : null);
        session.Note($"{HumanText.Count(result.Files, "file")}, {HumanText.Bytes(result.ContentBytes)}; "
            + $"new: {HumanText.Count(store.Blobs.Added, "object")}, {HumanText.Bytes(store.Blobs.AddedBytes)}, {HumanText.Count(newTrees, "tree")}, "
            + $"a pack of {HumanText.Bytes(additions.Pack.Length)}; {HumanText.Duration(Stopwatch.GetElapsedTime(started))}");
        Print(session, commit, refName, isNew: true);
        Sign(store, commit, signer);
        return code;
    }

    private ImportOptions ImportOptionsOf(Session session) => new()
    {
        Excludes = [.. Globs(session, exclude), .. session.Get(seal) ? MachineTraces.Left : []],
        Emptied = session.Get(seal) ? MachineTraces.Emptied : [],
        XattrExcludes = [.. Globs(session, excludeXattr)],
        LeavesOutAllXattrs = session.Get(noXattrs),
        ClampsTimes = session.Get(clampTimes),
        Changes = metadata.Read(session),
        Progress = new Progress(),
    };

    private static IEnumerable<PathGlob> Globs(Session session, Option<string[]> option) => (session.Get(option) ?? []).Select(glob =>
    {
        try
        {
            return new PathGlob(glob);
        }
        catch (StoreException e)
        {
            throw new UsageException($"{option.Name}: {e.Message}");
        }
    });

    private int RunOstree(Session session, ObjectStore store, OstreeSource old, CommitRequest request, ImportOptions options, SigningKey? signer)
    {
        OstreeResult result;
        using (session.Show("committing", options.Progress!))
        {
            result = OstreeCommits.Run(store, old, request, options);
        }

        foreach (string note in result.Notes)
        {
            session.Note(note);
        }

        session.Note(result.Taken == 0
            ? $"{request.Ref}: it is {old.Revision} of {old.Repository} already, and no commit was made"
            : $"{HumanText.Count(result.Taken, "commit")} of OSTree; "
                + $"new: {HumanText.Count(store.Blobs.Added, "object")}, {HumanText.Bytes(store.Blobs.AddedBytes)}");
        Print(session, result.Commit, request.Ref, isNew: result.Taken > 0);
        Sign(store, result.Commit, signer);
        return ExitCode.Done;
    }

    /// <summary>The commit that --parent names, or that of the root which becomes a commit of a new ref; none if the ref decides.</summary>
    private Digest ParentOf(Session session, ObjectStore store, string? refName)
    {
        if (session.Get(parent) is { } revision)
        {
            return Revision.Resolve(store, revision);
        }

        if (source.Running is { } running)
        {
            return CommitOf(store, refName).IsNone ? running.Commit : default;
        }

        // What is consumed is no root.
        if (session.Get(consume) || session.Get(source.Tree) is not { } path || !CommitOf(store, refName).IsNone
            || RunningRoot.RecordOf(store, path) is not { } record || !store.Packs.TryReadCommit(record.Commit, out _))
        {
            return default;
        }

        session.Note($"the parent is {CommitText.Short(record.Commit)}, the commit of the root {store.Roots.AbsolutePath(record)}");
        return record.Commit;
    }

    private static Digest CommitOf(ObjectStore store, string? refName) => refName is null ? default : store.Refs.Find(refName);

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
            throw new StoreException($"commit {CommitText.Short(commit)} is in the store and is not signed: {e.Message}", e.Remedy);
        }
    }

    private int Print(Session session, Digest commit, string? refName, bool isNew)
    {
        CommitText.Print(commit, refName, session.Get(json), isNew);
        return ExitCode.Done;
    }

    /// <summary>Removes the tree that was committed. Says which names stayed, and why.</summary>
    private int Finish(Session session, TreeConsume consumed, ImportResult result)
    {
        string path = session.Get(source.Tree)!;
        ConsumeResult outcome = consumed.Finish(result);
        Say(session, outcome, path);
        return outcome.IsDone ? ExitCode.Done : ExitCode.Failed;
    }

    /// <summary>Begins to consume the tree. If an earlier command has committed it, says which names that command left, and why.</summary>
    private TreeConsume Begin(Session session, ObjectStore store)
    {
        try
        {
            return TreeConsume.Begin(store, session.Get(source.Tree)!, Failure.Say);
        }
        catch (ConsumedBeforeException e)
        {
            Say(session, e.Result, session.Get(source.Tree)!);
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

    private void RequireOneName(CommandResult result)
    {
        bool isNamed = result.GetResult(name) is not null, isOrphan = result.GetValue(orphan);
        if (isNamed == isOrphan)
        {
            result.AddError(isNamed ? "--orphan makes a commit that no ref names: leave out -b" : "-b REF is missing");
        }
        else if (isOrphan && result.GetValue(skip))
        {
            result.AddError("--skip-if-unchanged compares with the commit of a ref, which --orphan has not");
        }
        else if (isOrphan && result.GetValue(consume))
        {
            result.AddError("--consume removes TREE, and nothing would keep the commit of --orphan: give one of the two");
        }
    }
}
