using System.CommandLine;
using HackTree.Boot;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

internal sealed class UpgradeCommand : DeployVerb
{
    private readonly Argument<string?> name = new("REF")
    {
        Description = "The ref, or REMOTE:REF to pull it first. Default: the ref that the running root was made of.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    internal UpgradeCommand()
        : base("upgrade", "Deploy what a ref names now, if it is not what boots.", "hacktree upgrade", "hacktree upgrade --reboot origin:debian/bookworm")
    {
        name.CompletionSources.Add(Completions.Refs);
        Add(name);
        Details = "A commit whose root failed is refused, and one that somebody went back from is left alone: `hacktree deploy` puts it on trial again. So the "
            + "command can run unattended. The package has a timer for that: `systemctl enable --now hacktree-upgrade.timer`. It runs at night and restarts "
            + "the machine if there was something new; `systemctl edit hacktree-upgrade.timer` sets another time.";
    }

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStoreToWrite();
        string? wanted = session.Get(name);
        if (wanted is not null && RemotePlace.Split(wanted).Ref is { } pulled)
        {
            var pull = new PullRun(session, store, place => RemoteVerb.PlaceOf(store, place).Open(new WebOptions(), Session.Stop), Signatures);
            _ = pull.Run([wanted], new PullRequest("", "") { DryRun = IsDryRun(session) }, asJson: false);
            if (IsDryRun(session))
            {
                WriteNothing(session);
                return ExitCode.Done;
            }

            wanted = pulled;
        }

        var upgrade = Upgrade.Find(store, wanted);
        switch (upgrade.State)
        {
            case UpgradeState.New:
                return Deploy(session, store, upgrade.Commit, upgrade.Ref);
            case UpgradeState.Failed:
                throw new StoreException(
                    $"{upgrade.Root}, a root of {upgrade.Ref}, was tried and is not good; `hacktree status` says why, and `hacktree deploy {upgrade.Ref}` tries it again");
            default:
                session.Note($"{upgrade.Root}, a root of {upgrade.Ref}, {Words(upgrade.State)}");
                WriteNothing(session);
                return ExitCode.Done;
        }
    }

    private static string Words(UpgradeState state) => state switch
    {
        UpgradeState.Current => "is what boots already",
        UpgradeState.OnTrial => "is on trial already",
        _ => "was gone back from; `hacktree deploy` puts it on trial again",
    };

    private void WriteNothing(Session session)
    {
        if (WantsJson(session))
        {
            JsonText.Write(writer => writer.WriteNullValue());
        }
    }
}
