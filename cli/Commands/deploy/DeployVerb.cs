using System.CommandLine;
using HackTree.Boot;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

/// <summary>A command that deploys a commit: the options, and what is printed.</summary>
internal abstract class DeployVerb : Verb
{
    private const int UsualTries = 3;

    private readonly Option<int?> tries;
    private readonly Option<bool> force = new("--force") { Description = "Deploy a commit whose own hacktree is missing, or does not find its root." };
    private readonly Option<bool> mergeText = new("--merge-text")
    {
        Description = "Merge text files of /etc that both sides changed line by line, where no two changes meet.",
    };

    private readonly Option<bool> composefs = new("--composefs")
    {
        Description = "Make a root that is an image, which is mounted at boot: it takes as long and as much disk whatever the size of the commit.",
    };

    private readonly Option<bool> stage = new("--stage")
    {
        Description = "Make the root now, and put it on trial when the machine shuts down, with the /etc of that moment.",
    };

    private readonly Option<bool> reboot = new("--reboot") { Description = "Restart the machine when all is done." };
    private readonly Option<bool> kexec = new("--kexec")
    {
        Description = "Start the root when all is done, by its kernel and not by the firmware; it takes one of the tries.",
    };

    private readonly Option<bool> dryRun = new("--dry-run") { Description = "Check everything that can be checked, say what would be done, and do nothing." };
    private readonly Option<bool> json = Json();

    protected DeployVerb(string name, string description, params string[] examples)
        : base(name, description, examples)
    {
        tries = AddNumber(
            $"How many times the boot loader starts it before it goes back to the default, 1 to {BootChoice.MostTries}. Default: {UsualTries}.", "--tries");
        Add(force);
        Add(mergeText);
        Add(composefs);
        Signatures.AddTo(this);
        Add(stage);
        Add(reboot);
        Add(kexec);
        Add(dryRun);
        Add(json);
        AddRule(result =>
        {
            if (result.GetValue(tries) is < 1 or > BootChoice.MostTries)
            {
                result.AddError($"--tries is a number from 1 to {BootChoice.MostTries}");
            }

            if (result.GetValue(kexec) && (result.GetValue(stage) || result.GetValue(reboot)))
            {
                result.AddError("--kexec starts the new root at once: leave out --stage and --reboot");
            }
        });
    }

    /// <summary>The options about signatures.</summary>
    private protected SignatureOptions Signatures { get; } = new("Deploy only a commit that a trusted key signed.");

    /// <summary>Whether nothing may be changed.</summary>
    protected bool IsDryRun(Session session) => session.Get(dryRun);

    /// <summary>
    /// Deploys a commit as the options say. <paramref name="revision"/> is the commit as the user named it. The root is an image if
    /// <paramref name="isImage"/> or the options say so.
    /// </summary>
    protected int Deploy(Session session, ObjectStore store, Digest commit, string revision, bool isImage = false)
    {
        Bisect.RequireNone(store);
        Signatures.Check(session, store, commit);
        if (session.Get(kexec))
        {
            Kexec.Require(store);
        }

        var progress = new Progress { TotalFiles = store.Packs.ReadCommit(commit).Files };
        int count = session.Get(tries) ?? UsualTries;
        var request = new DeployRequest(commit, revision, count, session.Get(force))
        {
            MergesText = session.Get(mergeText),
            IsImage = isImage || session.Get(composefs),
        };
        DeployPlan plan = Deployment.Plan(store, request);
        string what = $"commit {CommitText.Short(commit)}, kernel {plan.Kernel.Version}"
            + (plan.Kernel.Maker is { } maker ? $" with an initrd that its /{maker.Path} makes" : "");
        CarriedEtc etc;
        if (IsDryRun(session))
        {
            session.Note($"{plan.Name} would be made{(plan.Spare is { } spare ? $" of {spare}" : "")}: {what}, at most {HumanText.Bytes(plan.Space.Bytes)}");
            if (plan.InitrdSpace is { } making)
            {
                session.Note($"making the initrd would take as long as that program does, and about {HumanText.Bytes(making.Bytes)} meanwhile");
            }

            etc = Deployment.ForeseeEtc(store, request);
            session.Note(EtcText.Foreseen(etc));
        }
        else if (session.Get(stage))
        {
            Stage(session, store, request, plan, progress);
            etc = Deployment.ForeseeEtc(store, request);
            session.Note($"{plan.Name}: {what}{Origin(store, plan)}, goes on trial when the machine shuts down, {HumanText.Count(count, "time")}");
        }
        else
        {
            using (session.Show("checking out", progress))
            {
                etc = Deployment.Run(store, request, plan, progress);
            }

            NoteEtc(session, etc);
            session.Note($"{plan.Name}: {what}{Origin(store, plan)}, on trial from the next boot on, {HumanText.Count(count, "time")}");
        }

        Print(session, request, plan, etc);
        Restart(session, store, plan.Name);
        return ExitCode.Done;
    }

    /// <summary>Whether the machine is to be restarted now.</summary>
    protected virtual bool WantsRestart(Session session) => session.Get(reboot) || session.Get(kexec);

    /// <summary>Restarts the machine if that is wanted.</summary>
    protected void Restart(Session session, ObjectStore store, string root)
    {
        if (IsDryRun(session) || !WantsRestart(session))
        {
            return;
        }

        if (session.Get(kexec))
        {
            Kexec.Start(store, root, () => Restart("kexec"));
        }
        else
        {
            Reboot();
        }
    }

    /// <summary>Says which root is gone, because it was turned into the new one.</summary>
    private static string Origin(ObjectStore store, DeployPlan plan) =>
        plan.Spare is { } spare && !new BootableRoots(store).IsRoot(spare) ? $", made of what was {spare}" : "";

    /// <summary>Says what became of /etc.</summary>
    internal static void NoteEtc(Session session, CarriedEtc etc)
    {
        foreach (EtcChange change in etc.Changes)
        {
            session.Note(EtcText.Of(change));
        }
    }

    private static void Stage(Session session, ObjectStore store, DeployRequest request, DeployPlan plan, Progress progress)
    {
        var roots = new BootableRoots(store);
        if (roots.FindRunning() is null)
        {
            throw new StoreException("this system runs on no root of the store, so nothing would put a staged root on trial; deploy without --stage");
        }

        StageUnit.Start(BootChoice.Read(roots.Physical).Folder);
        using (session.Show("checking out", progress))
        {
            Deployment.Stage(store, request, plan, progress);
        }
    }

    /// <summary>Whether JSON is wanted.</summary>
    protected bool WantsJson(Session session) => session.Get(json);

    private void Print(Session session, DeployRequest request, DeployPlan plan, CarriedEtc etc)
    {
        if (!session.Get(json))
        {
            Session.Output.WriteLine(plan.Name);
            return;
        }

        JsonText.Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("name", plan.Name);
            writer.WriteDigest("commit", request.Commit);
            writer.WriteNumber("tries", request.Tries);
            writer.WriteString("kernel", plan.Kernel.Version);
            writer.WriteNumber("bytes", plan.Space.Bytes);
            writer.WriteNumber("inodes", plan.Space.Inodes);
            writer.WriteString("initrdMaker", plan.Kernel.Maker is { } maker ? $"/{maker.Path}" : null);
            writer.WriteNumber("initrdBytes", plan.InitrdSpace?.Bytes ?? 0);
            writer.WriteString("spare", plan.Spare);
            writer.WriteBoolean("dryRun", IsDryRun(session));
            writer.WriteBoolean("staged", session.Get(stage) && !IsDryRun(session));
            EtcText.Write(writer, etc);
            writer.WriteEndObject();
        });
    }

    /// <summary>Restarts the machine.</summary>
    internal static void Reboot() => Restart("reboot");

    private static void Restart(string way)
    {
        ProgramRun run = ProgramRun.Of([ProgramRun.Find("systemctl") ?? "systemctl", way]);
        if (!run.Succeeded)
        {
            throw new StoreException($"all is ready, but the machine does not restart: {run.LastWords}");
        }
    }

    protected override string Undone(Session session) => "the machine boots what it booted before";
}
