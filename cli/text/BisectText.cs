using HackTree.Boot;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

/// <summary>Text and JSON of a bisect.</summary>
internal static class BisectText
{
    /// <summary>Prints the tries, and the first bad commit with what it changed, or what is tried next.</summary>
    internal static void Print(ObjectStore store, BisectState state)
    {
        if (state.Verdicts.Count > 0)
        {
            var listing = new Listing("COMMIT", "STATE", new("SUBJECT") { Rank = 2 }, new("WHY") { Rank = 1 });
            foreach (BisectVerdict verdict in state.Verdicts)
            {
                string word = verdict.Fault is null ? "good" : "bad";
                listing.Add(CommitText.Short(verdict.Commit), word, Subject(store, verdict.Commit), CommitText.Line(verdict.Fault ?? ""));
            }

            listing.Print();
        }

        BisectSearch search = Bisect.SearchOf(store, state);
        if (search.FirstBad is { IsNone: false } first)
        {
            Session.Output.WriteLine($"{first} is the first bad commit: {Subject(store, first)}");
            DiffCommand.Print(store, search.LastGood, first);
            return;
        }

        string what = state.Trial is { } trial ? $"{trial.Name} is tried: {Named(store, trial.Commit)}" : $"to be tried next: {Named(store, search.Next)}";
        Session.Output.WriteLine($"{what}; {HumanText.Count(search.TriesLeft, "try", "tries")} left at most");
    }

    /// <summary>Prints the state as JSON.</summary>
    internal static void WriteJson(ObjectStore store, BisectState? state) => JsonText.Write(writer =>
    {
        if (state is null)
        {
            writer.WriteNullValue();
            return;
        }

        BisectSearch search = Bisect.SearchOf(store, state);
        writer.WriteStartObject();
        writer.WriteDigest("good", state.Good);
        writer.WriteDigest("bad", state.Bad);
        writer.WriteString("default", state.Default);
        writer.WriteBoolean("reboot", state.Reboots);
        writer.WriteStartArray("tries");
        foreach (BisectVerdict verdict in state.Verdicts)
        {
            writer.WriteStartObject();
            writer.WriteDigest("commit", verdict.Commit);
            writer.WriteBoolean("good", verdict.Fault is null);
            writer.WriteString("why", verdict.Fault);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteString("trial", state.Trial?.Name);
        writer.WriteStrings("roots", state.Roots.Select(root => root.Name));
        writer.WriteNumber("triesLeft", search.TriesLeft);
        writer.WriteDigest("firstBad", search.FirstBad);
        writer.WriteDigest("lastGood", search.LastGood);
        writer.WriteEndObject();
    });

    private static string Named(ObjectStore store, Digest commit) => $"{CommitText.Short(commit)} {Subject(store, commit)}".TrimEnd();

    private static string Subject(ObjectStore store, Digest commit) => CommitText.Line(store.Packs.ReadCommit(commit).Subject);
}
