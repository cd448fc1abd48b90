using System.CommandLine;
using HackTree.Boot;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

internal sealed class UpgradeCommand : DeployVerb
{
    private readonly Argument<string?> name = new("REF")
    {
        Description = "The ref, or REMOTE:REF to pull it first. Default: that of hacktree.conf, or the one that the running root was made of.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<bool> automatic = new("--automatic")
    {
        Description = $"Keep to the maintenance window and restart the machine, as {UpgradeSettings.Path} says.",
    };

    private readonly Lazy<UpgradeSettings> settings = new(UpgradeSettings.Read);

    internal UpgradeCommand()
        : base("upgrade", "Deploy what a ref names now, if it is not what boots.", "hacktree upgrade", "hacktree upgrade --reboot origin:debian/bookworm")
    {
        name.CompletionSources.Add(Completions.Refs);
        Add(name);
        Add(automatic);
        Details = "If the running root is an image, so is the new one. A commit whose root failed is refused, and one that somebody went back from is left "
            + "alone: `hacktree deploy` puts it on trial again. So the command can run unattended, with --automatic. The package has a timer for that: "
            + $"`systemctl enable --now hacktree-upgrade.timer`. {UpgradeSettings.Path} says when: with Window=Sat,Sun 22:00-02:00 in its section "
            + "[Upgrade] from ten in the evening of these days on until two, without it between three and five in the night. At other times the "
            + "command says when the next window begins, and does nothing. After the end of a window no deploy and no restart is begun; what was pulled is "
            + "deployed in the next window. Ref= there is the ref, and Reboot=no leaves the restart to you. files.md has more about that file.";
    }

    protected override int Run(Session session)
    {
        _ = settings.Value;
        if (!MayGoOn(session, "nothing is upgraded now"))
        {
            WriteNothing(session);
            return ExitCode.Done;
        }

        using ObjectStore store = session.OpenStoreToWrite();
        string? wanted = session.Get(name) ?? settings.Value.Ref;
        if (wanted is not null && RemotePlace.Split(wanted).Ref is { } pulled)
        {
            var pull = new PullRun(session, store, place => Open(store, place), Signatures);
            _ = pull.Run([wanted], new PullRequest("", "") { DryRun = IsDryRun(session) }, asJson: false);
            if (IsDryRun(session) || !MayGoOn(session, $"{pulled} was pulled and is not deployed now"))
            {
                WriteNothing(session);
                return ExitCode.Done;
            }

            wanted = pulled;
        }

        return Run(session, store, Upgrade.Find(store, wanted));
    }

    private int Run(Session session, ObjectStore store, Upgrade upgrade)
    {
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
                if (session.Get(automatic) && upgrade.WaitsForRestart)
                {
                    Bisect.RequireNone(store);
                    Restart(session, store, upgrade.Root!);
                }

                return ExitCode.Done;
        }
    }

    protected override bool WantsRestart(Session session) =>
        (base.WantsRestart(session) || (session.Get(automatic) && settings.Value.Reboots)) && MayGoOn(session, "the machine is not restarted now");

    /// <summary>
    /// Whether the next step may be taken: always, or in a maintenance window if the command keeps to those. Between windows, <paramref name="otherwise"/>
    /// is said, and the beginning of the next window.
    /// </summary>
    private bool MayGoOn(Session session, string otherwise)
    {
        DateTimeOffset now = DateTimeOffset.UtcNow;
        if (!session.Get(automatic) || settings.Value.IsOpen(now, TimeZoneInfo.Local))
        {
            return true;
        }

        session.Note($"{otherwise}; the next maintenance window begins {TimeText.Minute(settings.Value.NextOpening(now, TimeZoneInfo.Local))}");
        return false;
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
