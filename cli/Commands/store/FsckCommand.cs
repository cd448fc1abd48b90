using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using HackTree.Checkout;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

internal sealed class FsckCommand : RemoteVerb
{
    private readonly Option<bool> repair = new("--repair")
    {
        Description = "Make damaged and missing objects again from good copies, in the store and in its roots.",
    };

    private readonly Option<bool> read = new("--read")
    {
        Description = "Read objects with fs-verity too. Without it the kernel is asked for their digests, which takes no reading.",
    };

    private readonly Option<bool> quarantine = new("--quarantine")
    {
        Description = "Move damaged objects that have no good copy out of the way, so that nothing uses them and a commit can make them again.",
    };

    private readonly Option<bool> dryRun = new("--dry-run") { Description = "Say what --repair would do, and change nothing." };
    private readonly Option<string[]> from = new("--from")
    {
        Description = "Look for copies here too: a directory, an archive, another store, or a remote as pull takes it. Repeatable.",
        HelpName = "PLACE",
        DefaultValueFactory = _ => [],
    };

    private readonly Option<bool> json = Json();

    internal FsckCommand()
        : base(
            "fsck",
            "Read the whole store and report what is damaged or missing.",
            "hacktree fsck",
            "hacktree fsck --read",
            "hacktree fsck --repair --dry-run",
            "hacktree fsck --repair --from /mnt/backup",
            "hacktree fsck --repair --quarantine",
            "hacktree fsck --repair --from oci://registry.example.com/images/debian:debian/bookworm")
    {
        Details = "An object with fs-verity is not read: the kernel compares it with its digest whenever somebody reads it, so a flipped bit is an "
            + "error then, and no wrong content. --read reads all. Reports which ref or root needs each damaged object. Without --repair it changes "
            + "nothing. Good copies are looked for in the store (objects with the same content and another mode, owner or time), in its roots, and then "
            + "in the places of --from. What comes from there is compared with its digest. "
            + "Each damaged object gets a new inode, and so has every root that had the damaged one. "
            + "Processes keep the files that they have open. The image of a root that was made with --composefs is made again from its commit. "
            + "With --quarantine, an object without a good copy is moved to the store's directory damaged; "
            + "files of roots stay as they are. A later run with --from, or a commit that has the content, makes the object again. Exit code 3 if it finds "
            + "a problem, with --repair if one is left.";
        Add(read);
        Add(repair);
        Add(quarantine);
        Add(dryRun);
        Add(from);
        AddServerOptions();
        Add(json);
        AddRule(result =>
        {
            if (!result.GetValue(repair) && (result.GetValue(dryRun) || result.GetValue(quarantine) || result.GetValue(from) is { Length: > 0 }))
            {
                result.AddError("--dry-run, --quarantine and --from go with --repair");
            }
        });
    }

    protected override StopWay WayToStop(Session session) => session.Get(repair) ? StopWay.TakeBack : StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        long started = Stopwatch.GetTimestamp();
        bool changes = session.Get(repair) && !session.Get(dryRun);
        using ObjectStore store = changes ? session.OpenStoreToWrite() : session.OpenStore();
        var progress = new Progress();
        var problems = new List<Finding>();
        CheckResult result;
        using (session.Show("checking", progress))
        {
            result = Check.Run(store, problems.Add, progress, session.Get(read));
            RootImageRepair.Check(store, problems.Add);
        }

        RepairRun? run = session.Get(repair)
            ? RepairRun.Of(
                store, result, problems, session.Get(from)!, text => RepairSources.Open(store, text, OpenRemote), session.Get(quarantine), session.Get(dryRun))
            : null;
        if (session.Get(json))
        {
            JsonText.Write(writer => WriteJson(writer, result, problems, run));
        }
        else
        {
            Print(session, result, problems, run, started);
        }

        return (run?.Left ?? problems.Count) == 0 ? ExitCode.Done : ExitCode.Found;

        Remote OpenRemote(string text) => Open(session, store, text);
    }

    protected override string Undone(Session session) => "what was repaired stays so, and the next run goes on";

    private static void Print(Session session, CheckResult result, List<Finding> problems, RepairRun? run, long started)
    {
        if (run is null)
        {
            problems.ForEach(problem => Session.Output.WriteLine(FindingText.Sentence(problem)));
        }
        else
        {
            run.Print(session);
        }

        // What a repair says of damaged inodes is newer than the note.
        foreach (Finding note in result.Notes.Where(note => run is null || note is not Finding.KeptDamage))
        {
            session.Note(FindingText.Sentence(note));
        }

        string measured = result.Measured == 0 ? "" : $" ({HumanText.Count(result.Measured)} measured by fs-verity, not read)";
        string counts = $"{HumanText.Count(result.Objects, "object")}, {HumanText.Bytes(result.Bytes)}{measured}; "
            + $"{HumanText.Count(result.Packs, "pack")} with {HumanText.Count(result.Commits, "commit")} and "
            + $"{HumanText.Count(result.Trees, "tree")}; {HumanText.Count(result.Refs, "ref")}, {HumanText.Count(result.Roots, "root")}";
        string verdict = problems.Count == 0 ? "all is well" : HumanText.Count(problems.Count, "problem");
        session.Note($"{run?.Verdict ?? verdict}: {counts}; {HumanText.Duration(Stopwatch.GetElapsedTime(started))}");
    }

    private static void WriteJson(Utf8JsonWriter writer, CheckResult result, List<Finding> problems, RepairRun? run)
    {
        writer.WriteStartObject();
        WriteFindings(writer, "problems", problems);
        writer.WriteStrings("notes", result.Notes.Select(FindingText.Sentence));
        WriteFindings(writer, "noteFacts", result.Notes);
        writer.WriteNumber("objects", result.Objects);
        writer.WriteNumber("measured", result.Measured);
        writer.WriteNumber("bytes", result.Bytes);
        writer.WriteNumber("packs", result.Packs);
        writer.WriteNumber("trees", result.Trees);
        writer.WriteNumber("commits", result.Commits);
        writer.WriteNumber("refs", result.Refs);
        writer.WriteNumber("roots", result.Roots);
        run?.Write(writer);
        writer.WriteEndObject();
    }

    private static void WriteFindings(Utf8JsonWriter writer, string name, IReadOnlyList<Finding> findings)
    {
        writer.WriteStartArray(name);
        foreach (Finding finding in findings)
        {
            FindingJson.Write(writer, finding);
        }

        writer.WriteEndArray();
    }
}
