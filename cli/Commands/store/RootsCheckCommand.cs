using System.CommandLine;
using System.Text.Json;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class RootsCheckCommand : Verb
{
    private static readonly (RootFaults Fault, string Name)[] FaultNames =
    [
        (RootFaults.Content, "content"), (RootFaults.Size, "size"), (RootFaults.Mode, "mode"), (RootFaults.Owner, "owner"), (RootFaults.Time, "time"),
        (RootFaults.Attributes, "attributes"), (RootFaults.Target, "target"),
    ];

    private readonly Argument<string[]> names = new("ROOT") { Description = "The root's name or path. Default: all.", Arity = ArgumentArity.ZeroOrMore };
    private readonly Option<bool> json;

    internal RootsCheckCommand()
        : base("check", "Find what was changed in a root since it was made.", "hacktree roots check r1", "hacktree roots check --json")
    {
        Details = "A added, D deleted, M modified, T type changed. Exit code 3 if anything was changed. A file that was written to through its hardlink is "
            + "damage to the store, and the line names its object: every root and commit that has the file has the change. The check looks at each name, "
            + "and reads only files whose inode changed since the root was made, which a later checkout or removal of a root that shares them does too. "
            + "The /etc of a root made with --boot is its own and is left out, and so is what is mounted in a root.";
        Add(Completions.WithRoots(names));
        json = AddJson();
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        int failed = ExitCode.Done;
        var checks = new List<(string Name, RootCheck Check)>();

        // The record of each that is there: its name may mean several.
        IEnumerable<(string Name, RootRecord? Record)> roots = session.Get(names) is { Length: > 0 } given
            ? given.Select(name => (name, (RootRecord?)null))
            : store.Roots.Present().Select(root => (root.Name, (RootRecord?)root.Record));
        foreach ((string name, RootRecord? record) in roots)
        {
            try
            {
                checks.Add((name, record is null ? RootCheck.Run(store, name) : RootCheck.Run(store, record)));
            }
            catch (Exception e) when (e is StoreException or LinuxException)
            {
                // The other roots are checked all the same.
                failed = Failure.Report(e);
            }
        }

        if (session.Get(json))
        {
            JsonText.Write(writer => WriteJson(writer, checks));
        }
        else
        {
            checks.ForEach(root => Print(session, root.Check));
        }

        return failed != ExitCode.Done ? failed : checks.Exists(root => root.Check.Changes.Count > 0) ? ExitCode.Found : ExitCode.Done;
    }

    private static void Print(Session session, RootCheck check)
    {
        foreach (RootChange change in check.Changes)
        {
            Session.Output.Write($"{"ADMT"[(int)change.Kind]} ");
            Session.Output.Write(ByteText.Quote(ByteText.FromArgument(check.Path)));
            Session.Output.Write(change.Path.Length > 0 ? $"/{ByteText.Quote(change.Path)}" : "");
            string what = string.Join(", ", NamesOf(change.Faults));
            string damage = change.Damaged is { } name ? $"; it is the store's object {name}" : "";
            Session.Output.WriteLine(what.Length > 0 ? $": {what}{damage}" : "");
        }

        int damaged = check.Changes.Count(change => change.Damaged is not null);
        if (damaged > 0)
        {
            session.Note($"{check.Path}: {HumanText.Count(damaged, "file was", "files were")} written to through hardlinks, so objects of the store are "
                + "damaged; `hacktree fsck` tells which refs and roots need them, and `hacktree fsck --repair` mends them here and in all roots if there is a "
                + "good copy");
        }

        string changes = check.Changes.Count == 0 ? "nothing was changed" : HumanText.Count(check.Changes.Count, "change");
        session.Note($"{check.Path}: {HumanText.Count(check.Names, "name")}, {changes}");
    }

    private static IEnumerable<string> NamesOf(RootFaults faults) => FaultNames.Where(named => faults.HasFlag(named.Fault)).Select(named => named.Name);

    private static void WriteJson(Utf8JsonWriter writer, List<(string Name, RootCheck Check)> checks)
    {
        writer.WriteStartArray();
        foreach ((string name, RootCheck check) in checks)
        {
            writer.WriteStartObject();
            writer.WriteString("root", name);
            writer.WriteBytes("path", ByteText.FromArgument(check.Path));
            writer.WriteNumber("names", check.Names);
            writer.WriteStartArray("changes");
            foreach (RootChange change in check.Changes)
            {
                writer.WriteStartObject();
                writer.WriteString("change", DiffCommand.NameOf(change.Kind));
                writer.WriteBytes("path", change.Path);
                writer.WriteString("type", EntryText.TypeOf(change.Type));
                writer.WriteStrings("differs", NamesOf(change.Faults));
                writer.WriteString("damagedObject", change.Damaged?.ToString());
                writer.EndItem();
            }

            writer.WriteEndArray();
            writer.EndItem();
        }

        writer.WriteEndArray();
    }
}
