using System.CommandLine;
using System.Text.Json;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class DuCommand : Verb
{
    private readonly Option<bool> json;

    internal DuCommand()
        : base("du", "Show what takes the store's space, and what sharing saves.", "hacktree du")
    {
        json = AddJson();
        Details = "For each ref: its files, the size of their content, that size with each distinct file counted once (DISTINCT), and what only "
            + "the ref holds, with its history (ONLY HERE). For each root: the disk space of its own, which goes with it, and what only the root holds. "
            + "ONLY HERE is the space that gc would free in files/ if just that ref were deleted, or just that root removed; packs do not count. "
            + "Then the objects and packs of the store, and what sharing saves: the size of all refs and "
            + "roots if each were a full copy, minus the size of the store. Refs to one tree count as one copy.";
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        store.RequireReadable();
        Usage usage = Usage.Measure(store);
        if (session.Get(json))
        {
            JsonText.Write(writer => WriteJson(writer, store, usage));
            return ExitCode.Done;
        }

        if (usage.Refs.Count > 0)
        {
            var listing = new Listing(
                "REF",
                new("FILES") { IsNumber = true, Rank = 2 },
                new("CONTENT") { IsNumber = true },
                new("DISTINCT") { IsNumber = true, Rank = 1 },
                new("ONLY HERE") { IsNumber = true });
            foreach (RefUsage used in usage.Refs)
            {
                listing.Add(
                    used.Name,
                    HumanText.Count(used.Files),
                    HumanText.Bytes(used.Bytes),
                    HumanText.Bytes(used.DistinctBytes),
                    HumanText.Bytes(used.FreedBytes));
            }

            listing.Print(hasHeadings: true);
            Session.Output.WriteLine("");
        }

        if (usage.Roots.Count > 0)
        {
            var listing = new Listing(new("ROOT") { IsPath = true }, "COMMIT", new("OWN") { IsNumber = true }, new("ONLY HERE") { IsNumber = true });
            foreach (RootUsage used in usage.Roots)
            {
                string path = store.Roots.AbsolutePath(used.Record), commit = CommitText.Short(used.Record.Commit);
                listing.Add(CommitText.Line(path), commit, HumanText.Bytes(OwnDisk.Measure(path, Session.Stop)), HumanText.Bytes(used.FreedBytes));
            }

            listing.Print(hasHeadings: true);
            Session.Output.WriteLine("");
        }

        string onDisk = HumanText.Bytes(usage.AllocatedBytes), shared = HumanText.Bytes(usage.SavedBytes);
        Session.Output.WriteLine($"objects  {HumanText.Count(usage.Objects)}, {HumanText.Bytes(usage.ObjectBytes)}, on disk {onDisk}");
        Session.Output.WriteLine($"packs    {HumanText.Count(usage.Packs)}, {HumanText.Bytes(usage.PackBytes)}");
        if (usage.Images > 0)
        {
            Session.Output.WriteLine($"images   {HumanText.Count(usage.Images)}, {HumanText.Bytes(usage.ImageBytes)}");
        }

        string sharing = $"{HumanText.Count(usage.Refs.Count, "ref")} and {HumanText.Count(usage.HardlinkedRoots, "root")}";
        Session.Output.WriteLine($"saved    {shared}, by {sharing} that share");
        return ExitCode.Done;
    }

    private static void WriteJson(Utf8JsonWriter writer, ObjectStore store, Usage usage)
    {
        writer.WriteStartObject();
        writer.WriteStartArray("refs");
        foreach (RefUsage used in usage.Refs)
        {
            writer.WriteStartObject();
            writer.WriteString("name", used.Name);
            writer.WriteDigest("commit", used.Commit);
            writer.WriteNumber("files", used.Files);
            writer.WriteNumber("bytes", used.Bytes);
            writer.WriteNumber("distinctBytes", used.DistinctBytes);
            writer.WriteNumber("uniqueBytes", used.UniqueBytes);
            writer.WriteNumber("freedBytes", used.FreedBytes);
            writer.EndItem();
        }

        writer.WriteEndArray();
        writer.WriteStartArray("rootUsage");
        foreach (RootUsage used in usage.Roots)
        {
            string path = store.Roots.AbsolutePath(used.Record);
            writer.WriteStartObject();
            writer.WriteString("name", used.Name);
            writer.WriteBytes("path", ByteText.FromArgument(path));
            writer.WriteDigest("commit", used.Record.Commit);
            writer.WriteNumber("ownBytes", OwnDisk.Measure(path, Session.Stop));
            writer.WriteNumber("freedBytes", used.FreedBytes);
            writer.EndItem();
        }

        writer.WriteEndArray();
        writer.WriteNumber("objects", usage.Objects);
        writer.WriteNumber("objectBytes", usage.ObjectBytes);
        writer.WriteNumber("allocatedBytes", usage.AllocatedBytes);
        writer.WriteNumber("packs", usage.Packs);
        writer.WriteNumber("packBytes", usage.PackBytes);
        writer.WriteNumber("images", usage.Images);
        writer.WriteNumber("imageBytes", usage.ImageBytes);
        writer.WriteNumber("roots", usage.HardlinkedRoots);
        writer.WriteNumber("savedBytes", usage.SavedBytes);
        writer.WriteEndObject();
    }
}
