using System.Text.Json;
using HackTree.Checkout;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

/// <summary>The repair of one fsck: what is done, and how it is told.</summary>
internal sealed class RepairRun
{
    private readonly Repair repair;
    private readonly RootRelink relink;
    private readonly bool isDry;

    private RepairRun(Repair repair, RootRelink relink, bool isDry) => (this.repair, this.relink, this.isDry) = (repair, relink, isDry);

    /// <summary>How many problems are left, or were found, if this was a dry run.</summary>
    internal int Left => isDry ? repair.Items.Count : repair.Items.Count(item => item.IsLeft) + relink.Failures.Count;

    /// <summary>What came of it, in words.</summary>
    internal string Verdict
    {
        get
        {
            int mended = repair.Items.Count(item => !item.IsLeft), left = repair.Items.Count - mended;
            string files = relink.Files.Count == 0 ? "" : $", in {HumanText.Count(relink.Files.Count, "file of roots", "files of roots")} too";
            int aside = repair.Items.Count(item => item.State is RepairState.ToPutAside or RepairState.PutAside);
            string rest = (aside == 0 ? "" : $", {HumanText.Count(aside)} {(isDry ? "would be put aside" : "put aside")}")
                + (left == aside ? "" : $", {HumanText.Count(left - aside)} left");
            return repair.Items.Count + relink.Files.Count + relink.Failures.Count == 0 ? "all is well"
                : $"{HumanText.Count(repair.Items.Count, "problem")}, {HumanText.Count(mended)} {(isDry ? "would be repaired" : "repaired")}{files}{rest}";
        }
    }

    /// <summary>Plans a repair and, unless it is a dry run, does it.</summary>
    /// <param name="store">The store.</param>
    /// <param name="result">What fsck looked at.</param>
    /// <param name="problems">What fsck found.</param>
    /// <param name="from">The places of good copies.</param>
    /// <param name="open">Opens such a place.</param>
    /// <param name="quarantine">Whether to put aside what has no good copy.</param>
    /// <param name="isDry">Whether to change nothing.</param>
    internal static RepairRun Of(
        ObjectStore store,
        CheckResult result,
        List<Finding> problems,
        IEnumerable<string> from,
        Func<string, IRepairSource> open,
        bool quarantine,
        bool isDry)
    {
        Repair repair;
        var sources = new List<IRepairSource> { new RootCopies(store) };
        try
        {
            foreach (string place in from)
            {
                sources.Add(open(place));
            }

            repair = Repair.Plan(store, result, problems, sources, quarantine);
            if (!isDry)
            {
                repair.Apply();
            }
        }
        finally
        {
            sources.ForEach(source => source.Dispose());
        }

        if (!isDry)
        {
            repair.RemoveDamagedPacks();
            repair.PutAside();
            repair.MakeRootImages(image => RootImageRepair.Make(store, image));
        }

        // The sources are closed: one of them may be a store, and a lock of it would be held while this process waits for its own.
        return new RepairRun(repair, isDry ? RootRelink.Plan(store, repair.Damaged()) : RootRelink.Run(store), isDry);
    }

    /// <summary>Prints a line for each problem, and for each file of a root.</summary>
    internal void Print(Session session)
    {
        foreach (RepairItem item in repair.Items)
        {
            Session.Output.WriteLine(RepairText.Sentence(item));
            foreach (string need in RepairText.Needs(item))
            {
                Session.Output.WriteLine(need);
            }
        }

        foreach (RelinkedFile file in relink.Files)
        {
            Session.Output.WriteLine($"{file.Root}/{ByteText.Quote(file.Path)}: {(isDry ? "would be" : "is now")} files/{file.Object}");
        }

        foreach (Exception failure in relink.Failures)
        {
            Session.Output.WriteLine(RepairText.Why(failure));
        }

        if (relink.NamesElsewhere > 0)
        {
            session.Note($"the damaged files have {HumanText.Count(relink.NamesElsewhere, "more name")}, outside of the store's roots or moved in them; "
                + "`find DIR -inum N` finds those, and objects/damaged has the inodes");
        }
    }

    /// <summary>Writes the same as a property of an object.</summary>
    internal void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("repair");
        writer.WriteBoolean("dryRun", isDry);
        writer.WriteStartArray("items");
        foreach (RepairItem item in repair.Items)
        {
            Write(writer, item);
        }

        writer.WriteEndArray();
        writer.WriteStartArray("relinked");
        foreach (RelinkedFile file in relink.Files)
        {
            writer.WriteStartObject();
            writer.WriteString("root", file.Root);
            writer.WriteBytes("path", file.Path);
            writer.WriteString("object", file.Object.ToString());
            writer.EndItem();
        }

        writer.WriteEndArray();
        writer.WriteNumber("namesElsewhere", relink.NamesElsewhere);
        writer.WriteStrings("failures", relink.Failures.Select(RepairText.Why));
        writer.WriteNumber("left", Left);
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, RepairItem item)
    {
        writer.WriteStartObject();
        writer.WriteString("path", item.Problem.Path);
        writer.WriteString("state", RepairText.NameOf(item.State));
        writer.WriteString("source", item.Source);
        writer.WriteString("place", item.Place);
        writer.WriteString("aside", item.Aside);
        writer.WriteString("failure", item.Failure is null ? null : RepairText.Why(item.Failure));
        writer.WriteStartArray("holders");
        foreach (Holding holding in item.Holdings)
        {
            GcExplain.WriteHolding(writer, holding);
        }

        writer.WriteEndArray();
        writer.EndItem();
    }
}
