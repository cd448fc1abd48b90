using System.CommandLine;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

internal sealed class PullCommand : RemoteVerb
{
    private readonly Argument<string[]> sources = new("REMOTE[:REF]")
    {
        Description = "The remote and the ref. The remote is its name, oci://HOST/NAME, https://HOST/PATH, ssh://HOST/STORE, file:///PATH or a path. "
            + "Without a ref, all of its refs.",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<string?> name = new("--as") { Description = "The ref to set here, if it has another name than the remote's.", HelpName = "REF" };
    private readonly Option<int?> depth;
    private readonly Option<bool> allowDowngrade = new("--allow-downgrade") { Description = "Set a ref also to a commit that is older than its own." };
    private readonly Option<bool> force = new("--force", "-f") { Description = "Set a ref also where it has a commit made here that is not on the remote." };
    private readonly Option<bool> noDelta = new("--no-delta") { Description = "Use no deltas, although the remote has some." };
    private readonly Option<bool> dryRun = new("--dry-run") { Description = "Say what would be fetched, and change nothing." };
    private readonly SignatureOptions signatures = new("Take only commits that a trusted key signed. Without one, nothing of the commit is fetched.");
    private readonly Option<int?> limit;
    private readonly Option<bool> json = Json();

    internal PullCommand()
        : base(
            "pull",
            "Fetch refs and what their commits need from a registry, a web server, a directory or another store.",
            "hacktree pull oci://registry.example.com/images/debian:debian/bookworm",
            "hacktree pull ssh://root@build.example.com/objects:debian/bookworm",
            "hacktree pull --dry-run https://example.com/debian:debian/bookworm",
            "hacktree pull origin")
    {
        Details = "Only what the store lacks is fetched, and each file is compared with the commit before it is stored. The ref is set last. "
            + "A pull that was stopped goes on when it is run again. A commit that was made here and is not on the remote is not lost without --force.";
        Add(sources);
        Add(name);
        depth = AddNumber("How many generations of ancestors to fetch too. Default: 0.", "--depth");
        Add(allowDowngrade);
        Add(force);
        signatures.AddTo(this);
        Add(noDelta);
        Add(dryRun);
        limit = AddNumber("The most bytes a second, in thousands.", "--limit-rate");
        AddServerOptions();
        Add(json);
        AddRule(result =>
        {
            bool isOneRef = result.GetValue(sources) is [var only] && RemotePlace.Split(only).Ref is not null;
            if (result.GetValue(name) is not null && !isOneRef)
            {
                result.AddError("--as needs one REMOTE:REF");
            }
        });
    }

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStoreToWrite();
        var runs = new PullRun(session, store, source => OpenSource(session, store, source, (session.Get(limit) ?? 0) * 1000L), signatures);
        var template = new PullRequest("", session.Get(name) ?? "")
        {
            Depth = session.Get(depth) ?? 0,
            AllowDowngrade = session.Get(allowDowngrade),
            Force = session.Get(force),
            UseDeltas = !session.Get(noDelta),
            DryRun = session.Get(dryRun),
        };
        return runs.Run(session.Get(sources), template, session.Get(json));
    }

    protected override string Undone(Session session) => "what was fetched is kept for the next pull, and the ref was not set";
}
