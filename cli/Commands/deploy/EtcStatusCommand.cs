using System.CommandLine;
using HackTree.Boot;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class EtcStatusCommand : Verb
{
    private readonly Argument<string?> root = EtcCommand.Root();
    private readonly Option<bool> json;

    internal EtcStatusCommand()
        : base("status", "List what differs between a root's /etc and its commit's.", "hacktree etc status", "hacktree etc status r1 --json")
    {
        Details = "A added, D deleted, M modified (content, target, mode, owner or attributes), T type changed. A time alone is no change.";
        Add(root);
        json = AddJson();
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        store.RequireReadable();
        string path = EtcCommand.PathOf(store, session.Get(root), out RootRecord record);
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
                Session.Output.WriteLine(EtcText.Line(difference));
            }
        }

        return ExitCode.Done;
    }
}
