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
    private readonly Option<bool> json = Json();

    internal DeployCommand()
        : base("deploy", "Make a commit the root on trial, which boots next.", "hacktree deploy debian/bookworm", "hacktree deploy --tries 1 debian/bookworm")
    {
        revision = AddRevision("COMMIT", "The commit: a ref, REF^, REF~3, or an id or its beginning.");
        tries = AddNumber($"How many times the boot loader starts it before it goes back to the default, 1 to {BootChoice.MostTries}. Default: {UsualTries}.", "--tries");
        Add(force);
        Add(json);
        Details = "The new root gets the first free name r0, r1, .... Its own hacktree must find it in this store. Only then one write makes it the root on "
            + "trial. It becomes the default when its system has started and all programs in /etc/hacktree/health.d end with 0. A root that does not come so "
            + "far restarts the machine, and without tries left the default boots again. The boot menu must be GRUB's, made by `hacktree image`.";
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
        string name;
        using (session.Show("checking out", progress))
        {
            name = Deployment.Run(store, new DeployRequest(commit, session.Get(revision), count, session.Get(force)), progress);
        }

        session.Note($"{name}: commit {CommitText.Short(commit)}, on trial from the next boot on, {HumanText.Count(count, "time")}");
        if (!session.Get(json))
        {
            Session.Output.WriteLine(name);
            return ExitCode.Done;
        }

        JsonText.Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("name", name);
            writer.WriteDigest("commit", commit);
            writer.WriteNumber("tries", count);
            writer.WriteEndObject();
        });
        return ExitCode.Done;
    }

    protected override string Undone(Session session) => "the machine boots what it booted before";
}
