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
        Details = "If the running root is an image, so is the new one. A commit whose root failed is refused, and one that somebody went back from is left "
            + "alone: `hacktree deploy` puts it on trial again. So the command can run unattended. The package has a timer for that: "
            + "`systemctl enable --now hacktree-upgrade.timer`. It runs at night and restarts the machine if there was "
            + "something new; `systemctl edit hacktree-upgrade.timer` sets another time.";
    }

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStoreToWrite();
        string? wanted = session.Get(name);
        if (wanted is not null && RemotePlace.Split(wanted).Ref is { } pulled)
        {
            var pull = new PullRun(session, store, place => Open(store, place), Signatures);
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
            case UpgradeState.New when ReasonToWait(store, upgrade) is { } reason:
                session.Note($"{CommitText.Short(upgrade.Commit)} of {upgrade.Ref} {reason}; `hacktree deploy {upgrade.Ref}` deploys it now");
                WriteNothing(session);
                return ExitCode.Done;
            case UpgradeState.New:
                return Deploy(session, store, upgrade.Commit, upgrade.Ref, upgrade.IsImage);
            case UpgradeState.Failed:
                throw new StoreException(
                    $"{upgrade.Root}, a root of {upgrade.Ref}, was tried and is not good; `hacktree status` says why, "
                    + $"and `hacktree deploy {upgrade.Ref}` tries it again");
            default:
                session.Note($"{upgrade.Root}, a root of {upgrade.Ref}, {Words(upgrade.State)}");
                WriteNothing(session);
                return ExitCode.Done;
        }
    }

    private static PullSource Open(ObjectStore store, string text) =>
        RemoteVerb.PlaceOf(store, text, out NamedRemote? named).OpenSource(store, WebOptions.Of(named), Session.Stop);

    /// <summary>What the ref's signed record says against an upgrade of this machine now; null for nothing.</summary>
    private static string? ReasonToWait(ObjectStore store, Upgrade upgrade)
    {
        const string idFile = "/etc/machine-id";
        RefRecord? record = SignedRecord.Find(store, upgrade.Ref)?.Record;
        byte[] machine = File.Exists(idFile) ? File.ReadAllBytes(idFile) : [];
        return record is not null && record.Commit == upgrade.Commit
            ? record.ReasonToWait(machine.AsSpan().TrimEnd((byte)'\n'), DateTimeOffset.UtcNow.ToUnixTimeSeconds())
            : null;
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
