using System.CommandLine;
using HackTree.Boot;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class EtcDiffCommand : Verb
{
    private readonly Argument<string?> root = EtcCommand.Root();

    internal EtcDiffCommand()
        : base("diff", "Show the lines that were changed in a root's /etc since its commit.", "hacktree etc diff", "hacktree etc diff r1")
    {
        Details = "Text files as `diff -u` shows them. All else in one line, as `hacktree etc status` lists it. Secrets in /etc/shadow "
            + "and other files are shown too.";
        Add(root);
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        store.RequireReadable();
        string path = EtcCommand.PathOf(store, session.Get(root), out RootRecord record);
        foreach (EtcDifference difference in EtcStatus.Run(store, record.Commit, path, withText: true))
        {
            Session.Output.Write(TextOf(difference));
        }

        return ExitCode.Done;
    }

    private static string TextOf(EtcDifference difference)
    {
        if (difference.Before is null)
        {
            return $"{EtcText.Line(difference)}\n";
        }

        string name = ByteText.Quote(difference.Path);
        return UnifiedText.Of(
            difference.Kind == ChangeKind.Added ? "/dev/null" : $"a/etc/{name}",
            difference.Kind == ChangeKind.Removed ? "/dev/null" : $"b/etc/{name}",
            difference.Before,
            difference.After!);
    }
}
