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
        var problems = new List<Problem>();
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
            foreach (Problem problem in problems)
            {
                Session.Output.WriteLine(problem.ToString());
            }

            foreach (string note in result.Notes)
            {
                session.Note(note);
            }

            string counts = $"{HumanText.Count(result.Objects, "object")}, {HumanText.Bytes(result.Bytes)}; {HumanText.Count(result.Packs, "pack")} with {HumanText.Count(result.Commits, "commit")} and "
                + $"{HumanText.Count(result.Trees, "tree")}; {HumanText.Count(result.Refs, "ref")}, {HumanText.Count(result.Roots, "root")}";
            session.Note($"{(problems.Count == 0 ? "all is well" : HumanText.Count(problems.Count, "problem"))}: {counts}; {HumanText.Duration(Stopwatch.GetElapsedTime(started))}");
        }

        return problems.Count == 0 ? ExitCode.Done : ExitCode.Found;
    }

    private static void WriteJson(Utf8JsonWriter writer, CheckResult result, List<Problem> problems)
    {
        writer.WriteStartObject();
        writer.WriteStartArray("problems");
        foreach (Problem problem in problems)
        {
            writer.WriteStartObject();
            writer.WriteString("path", problem.Path);
            writer.WriteString("problem", problem.What);
            writer.WriteString("neededBy", problem.NeededBy);
            writer.EndItem();
        }

        writer.WriteEndArray();
        writer.WriteStartArray("notes");
        foreach (string note in result.Notes)
        {
            writer.WriteStringValue(note);
        }

        writer.WriteEndArray();
        writer.WriteNumber("objects", result.Objects);
        writer.WriteNumber("bytes", result.Bytes);
        writer.WriteNumber("packs", result.Packs);
        writer.WriteNumber("trees", result.Trees);
        writer.WriteNumber("commits", result.Commits);
        writer.WriteNumber("refs", result.Refs);
        writer.WriteNumber("roots", result.Roots);
        writer.WriteEndObject();
    }
}
