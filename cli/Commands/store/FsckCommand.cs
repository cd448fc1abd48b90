using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class FsckCommand : Verb
{
    private readonly Option<bool> json;

    internal FsckCommand()
        : base("fsck", "Read the whole store and report what is damaged or missing.", "hacktree fsck")
    {
        json = AddJson();
        Details = "Reports which ref or root needs each damaged object. Changes nothing. Exit code 3 if it finds a problem.";
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        long started = Stopwatch.GetTimestamp();
        using ObjectStore store = session.OpenStore();
        var progress = new Progress();
        var problems = new List<Finding>();
        CheckResult result;
        using (session.Show("checking", progress))
        {
            result = Check.Run(store, problems.Add, progress);
        }

        if (session.Get(json))
        {
            JsonText.Write(writer => WriteJson(writer, result, problems));
        }
        else
        {
            foreach (Finding problem in problems)
            {
                Session.Output.WriteLine(FindingText.Sentence(problem));
            }

            foreach (Finding note in result.Notes)
            {
                session.Note(FindingText.Sentence(note));
            }

            string counts = $"{HumanText.Count(result.Objects, "object")}, {HumanText.Bytes(result.Bytes)}; {HumanText.Count(result.Packs, "pack")} with {HumanText.Count(result.Commits, "commit")} and "
                + $"{HumanText.Count(result.Trees, "tree")}; {HumanText.Count(result.Refs, "ref")}, {HumanText.Count(result.Roots, "root")}";
            session.Note($"{(problems.Count == 0 ? "all is well" : HumanText.Count(problems.Count, "problem"))}: {counts}; {HumanText.Duration(Stopwatch.GetElapsedTime(started))}");
        }

        return problems.Count == 0 ? ExitCode.Done : ExitCode.Found;
    }

    private static void WriteJson(Utf8JsonWriter writer, CheckResult result, List<Finding> problems)
    {
        writer.WriteStartObject();
        WriteFindings(writer, "problems", problems);
        writer.WriteStartArray("notes");
        foreach (Finding note in result.Notes)
        {
            writer.WriteStringValue(FindingText.Sentence(note));
        }

        writer.WriteEndArray();
        WriteFindings(writer, "noteFacts", result.Notes);
        writer.WriteNumber("objects", result.Objects);
        writer.WriteNumber("bytes", result.Bytes);
        writer.WriteNumber("packs", result.Packs);
        writer.WriteNumber("trees", result.Trees);
        writer.WriteNumber("commits", result.Commits);
        writer.WriteNumber("refs", result.Refs);
        writer.WriteNumber("roots", result.Roots);
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
