using System.CommandLine;
using HackTree.Boot;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class DeployCommand : Verb
{
    private const int UsualTries = 3;

    private readonly Argument<string> revision;
    private readonly Option<int?> tries;
    private readonly Option<bool> force = new("--force") { Description = "Deploy a commit whose own hacktree is missing, or does not find its root." };
    private readonly Option<bool> reboot = new("--reboot") { Description = "Restart the machine when all is done." };
    private readonly Option<bool> dryRun = new("--dry-run") { Description = "Check everything that can be checked, say what would be done, and do nothing." };
    private readonly Option<bool> json = Json();

    internal DeployCommand()
        : base("deploy", "Make a commit the root on trial, which boots next.", "hacktree deploy debian/bookworm", "hacktree deploy --tries 1 debian/bookworm")
    {
        revision = AddRevision("COMMIT", "The commit: a ref, REF^, REF~3, or an id or its beginning.");
        tries = AddNumber($"How many times the boot loader starts it before it goes back to the default, 1 to {BootChoice.MostTries}. Default: {UsualTries}.", "--tries");
        Add(force);
        Add(reboot);
        Add(dryRun);
        Add(json);
        Details = "The new root gets the first free name r0, r1, .... What was changed in /etc is carried over, see docs/etc-merge.md. Its own hacktree must find it in this store. Only then one write makes it the root on "
            + "trial. It becomes the default when its system has started and all programs in /etc/hacktree/health.d end with 0. A root that does not come so "
            + "far restarts the machine, and without tries left the default boots again. The boot loader must be GRUB or systemd-boot, with a menu by `hacktree image`.";
        AddRule(result =>
        {
            if (result.GetValue(tries) is < 1 or > BootChoice.MostTries)
            {
                result.AddError($"--tries is a number from 1 to {BootChoice.MostTries}");
            }
        });
    }

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStoreToWrite();
        Digest commit = Revision.Resolve(store, session.Get(revision));
        var progress = new Progress { TotalFiles = store.Packs.ReadCommit(commit).Files };
        int count = session.Get(tries) ?? UsualTries;
        var request = new DeployRequest(commit, session.Get(revision), count, session.Get(force));
        DeployPlan plan = Deployment.Plan(store, request);
        CarriedEtc? etc = null;
        if (session.Get(dryRun))
        {
            session.Note($"{plan.Name} would be made: commit {CommitText.Short(commit)}, kernel {plan.Kernel.Version}, at most {HumanText.Bytes(plan.Space.Bytes)}");
        }
        else
        {
            using (session.Show("checking out", progress))
            {
                etc = Deployment.Run(store, request, plan, progress);
            }

            foreach (EtcChange change in etc.Changes)
            {
                session.Note(EtcText.Of(change));
            }

            session.Note($"{plan.Name}: commit {CommitText.Short(commit)}, kernel {plan.Kernel.Version}, on trial from the next boot on, {HumanText.Count(count, "time")}");
        }

        Print(session, request, plan, etc);
        if (session.Get(reboot) && !session.Get(dryRun))
        {
            Reboot();
        }

        return ExitCode.Done;
    }

    private void Print(Session session, DeployRequest request, DeployPlan plan, CarriedEtc? etc)
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
            writer.WriteBoolean("dryRun", session.Get(dryRun));
            EtcText.Write(writer, etc);
            writer.WriteEndObject();
        });
    }

    private static void Reboot()
    {
        ProgramRun run = ProgramRun.Of([ProgramRun.Find("systemctl") ?? "systemctl", "reboot"]);
        if (!run.Succeeded)
        {
            throw new StoreException($"the root is on trial, but the machine does not restart: {run.LastWords}");
        }
    }

    protected override string Undone(Session session) => "the machine boots what it booted before";
}
