using System.CommandLine;
using System.CommandLine.Parsing;
using System.Diagnostics.CodeAnalysis;
using HackTree.Boot;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class BuildCommand : Verb
{
    private readonly Argument<string[]> command = new("COMMAND")
    {
        Description = "The command to run, after --. Default: a shell.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private readonly Option<string> name = new("-b", "--branch") { Description = "The ref to set to the new commit.", HelpName = "REF", Required = true };
    private readonly Option<string> from = new("--from") { Description = "The commit to begin with.", HelpName = "COMMIT", Required = true };
    private readonly Option<string[]> messages = new("-m", "--message")
    {
        Description = "The message: its first line is the subject, the rest the body. May be repeated.",
        HelpName = "TEXT",
    };

    private readonly Option<bool> noNetwork = new("--no-network") { Description = "Run the command without a network." };
    private readonly Option<string[]> binds = new("--bind")
    {
        Description = "Show a file or directory of this system at a path that is in the commit. May be repeated.",
        HelpName = "SRC:DST",
    };

    private readonly Option<string[]> variables = new("--env") { Description = "A variable for the command. May be repeated.", HelpName = "KEY=VALUE" };
    private readonly Option<string?> script = new("--script") { Description = "Run this file of this system; COMMAND is its arguments.", HelpName = "FILE" };
    private readonly Option<string?> recipe = new("--recipe")
    {
        Description = "Run the steps of this file of this system: one shell command a line. Steps that are remembered are not run again.",
        HelpName = "FILE",
    };

    private readonly Option<bool> fresh = new("--fresh") { Description = "With --recipe: run all steps." };
    private readonly Option<bool> json = Json();

    internal BuildCommand()
        : base(
            "build",
            "Run a command in a commit's tree and commit what it changed.",
            "hacktree build -b web --from debian/bookworm -m 'with nginx' -- sh -c 'apt-get update && apt-get install -y nginx'",
            "hacktree build -b web --from debian/bookworm --recipe web.recipe")
    {
        Details = "Prints the new commit's id; what the command prints goes to standard error. If the command fails, nothing is committed. "
            + "A recipe has one step a line, run by `sh -ec`; a line that ends in \\ goes on in the next, and one that begins with # is a comment. "
            + "$SOURCE_DATE_EPOCH sets the commit's time. An ordinary user needs a user store and a user namespace. "
            + "README.md says what the command sees and what is not recorded.";
        name.CompletionSources.Add(Completions.Refs);
        from.CompletionSources.Add(Completions.Refs);
        Add(command);
        foreach (Option option in new Option[] { name, from, messages, noNetwork, binds, variables, script, recipe, fresh, json })
        {
            Add(option);
        }

        AddRule(RequireOneWay);
    }

    // Ctrl-C is the command's, which may be a shell.
    protected override StopWay WayToStop(Session session) => StopWay.LeaveKeysToChild;

    protected override string Undone(Session session) => "the command was ended, and nothing was committed";

    protected override int Run(Session session)
    {
        string refName = session.Get(name)!;
        RefName.Require(refName);
        BuildRequest request = Request(session);
        (string subject, string body) = CommitMessage.Of(null, session.Get(messages) ?? []);
        if (!Sys.IsRoot)
        {
            EnterNamespace(session);
        }

        using ObjectStore store = session.OpenStoreToWrite();
        store.Refs.RequireFree(refName);
        string revision = session.Get(from)!;
        Digest basis = Revision.Resolve(store, revision);
        Digest commit = session.Get(recipe) is { } file
            ? RecipeBuild.Run(
                store,
                new RecipeRequest(refName, basis, revision, Recipe.Read(file), request, session.Get(fresh), subject, body, CommitStory.TimeOfNow),
                step => session.Note($"step {step.Number}{(step.IsRemembered ? " is remembered" : "")}: {step.Text}"),
                outcome => Note(session, outcome, basis: null))
            : RunCommand(session, store, request, new CommitRequest { Ref = refName, Parent = basis, Subject = subject, Body = body, Time = 0 }, revision);
        session.Note($"new: {HumanText.Count(store.Blobs.Added, "object")}, {HumanText.Bytes(store.Blobs.AddedBytes)}");
        CommitText.Print(commit, refName, session.Get(json));
        return ExitCode.Done;
    }

    // Only root mounts. An ordinary user is root in a user namespace.
    [DoesNotReturn]
    private static void EnterNamespace(Session session)
    {
        // In the namespace, a store that only root can write to would not be told from others.
        session.OpenStoreToWrite().Dispose();
        UserNamespace space = UserNamespace.Find();
        session.Note(space.HasOtherIds ? null : "the command can give no file to others than root: /etc/subuid and newuidmap (package uidmap) would allow it");
        space.Enter();
    }

    private static Digest RunCommand(Session session, ObjectStore store, BuildRequest request, CommitRequest described, string revision)
    {
        Digest basis = described.Parent;
        BuildOutcome outcome = Build.Run(store, basis, revision, request, () => described with
        {
            Parent = store.Refs.Find(described.Ref!).IsNone ? basis : default,
            Time = CommitStory.TimeOfNow(),
        });
        Note(session, outcome, basis);
        return outcome.Commit;
    }

    private static void Note(Session session, BuildOutcome outcome, Digest? basis)
    {
        foreach (string note in outcome.Notes)
        {
            session.Note(note);
        }

        session.Note(!outcome.IsUnchanged ? null
            : basis is { } commit ? $"nothing has changed since commit {CommitText.Short(commit)}"
            : "the step has changed nothing");
        session.Note($"the commit took {HumanText.Duration(outcome.CommitTime)}");
    }

    private void RequireOneWay(CommandResult result)
    {
        bool hasRecipe = result.GetResult(recipe) is not null;
        if (hasRecipe && (result.GetResult(script) is not null || result.GetValue(command) is { Length: > 0 }))
        {
            result.AddError("--recipe has the commands, so there can be no other command and no --script");
        }
        else if (!hasRecipe && result.GetValue(fresh))
        {
            result.AddError("--fresh is for the steps of a --recipe");
        }
    }

    private BuildRequest Request(Session session)
    {
        string? file = session.Get(script);
        if (file is not null && !PathStatus.IsFile(file))
        {
            throw new StoreException($"{file}: no such file; --script names one of this system");
        }

        string[] words = session.Get(command);
        return new BuildRequest(
            words.Length > 0 || file is not null ? words : Sys.IsTerminal(0) ? ["/bin/sh", "-i"] : ["/bin/sh"],
            file,
            HasNetwork: !session.Get(noNetwork),
            [.. (session.Get(binds) ?? []).Select(bind => Pair(bind, ':', "--bind SRC:DST")).Select(RequireBind)],
            [.. (session.Get(variables) ?? []).Select(variable => Pair(variable, '=', "--env KEY=VALUE"))]);
    }

    private static (string Source, string Target) RequireBind((string Source, string Target) bind) =>
        bind.Target.Length == 0 ? throw new UsageException($"'{bind.Source}:/' would hide the whole tree; --bind shows something at a path below its top")
        : PathStatus.Exists(bind.Source) ? bind
        : throw new StoreException($"{bind.Source}: no such file or directory; --bind shows one of this system");

    private static (string Left, string Right) Pair(string text, char separator, string form)
    {
        int at = text.IndexOf(separator, StringComparison.Ordinal);
        return at > 0 && (separator != ':' || text[(at + 1)..].StartsWith('/'))
            ? (text[..at], text[(at + 1)..].TrimEnd(separator == ':' ? '/' : '\0'))
            : throw new UsageException($"'{text}' is not of the form {form}{(separator == ':' ? ", with DST a path from the top of the tree" : "")}");
    }
}
