using System.CommandLine;
using HackTree.Boot;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class EtcStatusCommand : Verb
{
    private readonly Argument<string?> root = new("ROOT") { Description = "The root's name or path. Default: the running root.", Arity = ArgumentArity.ZeroOrOne };
    private readonly Option<bool> json;

    internal EtcStatusCommand()
        : base("status", "List what differs between a root's /etc and its commit's.", "hacktree etc status", "hacktree etc status r1 --json")
    {
        Details = "A added, D deleted, M modified (content, target, mode, owner or attributes), T type changed. A time alone is no change.";
        Add(Completions.WithRoots(root));
        json = AddJson();
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        store.RequireReadable();
        string path = PathOf(store, session.Get(root), out RootRecord record);
        IReadOnlyList<EtcDifference> differences = EtcStatus.Run(store, record.Commit, path);
        if (session.Get(json))
        {
            JsonText.Write(writer =>
            {
                writer.WriteStartObject();
                writer.WriteBytes("root", ByteText.FromArgument(path));
                writer.WriteString("commit", record.Commit.ToString());
                writer.WriteStartArray("changes");
                foreach (EtcDifference difference in differences)
                {
                    writer.WriteStartObject();
                    writer.WriteString("change", DiffCommand.NameOf(difference.Kind));
                    writer.WriteBytes("path", difference.Path);
                    writer.WriteString("type", EntryText.TypeOf(difference.Type));
                    writer.EndItem();
                }

                writer.WriteEndArray();
                writer.EndItem();
            });
        }
        else
        {
            foreach (EtcDifference difference in differences)
            {
                Session.Output.WriteLine($"{"ADMT"[(int)difference.Kind]} {ByteText.Quote(difference.Path.Length == 0 ? "."u8 : difference.Path)}");
            }
        }

        return ExitCode.Done;
    }

    private static string PathOf(ObjectStore store, string? root, out RootRecord record)
    {
        if (root is null)
        {
            record = RunningRoot.RecordOf(store, "/") ?? throw new StoreException("this system runs on no root of the store; name a root");
        }
        else
        {
            record = store.Roots.Find(store.Roots.Require(root)) ?? throw new StoreException($"{root}: another process has just removed it");
        }

        return store.Roots.AbsolutePath(record);
    }
}
