using System.Text.Json;
using HackTree.Model;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

/// <summary>Pulls what a command line names, and prints what came of it.</summary>
internal sealed class PullRun(Session session, ObjectStore store, Func<string, PullSource> open, SignatureOptions signatures)
{
    private readonly Progress progress = new();

    /// <summary>
    /// Pulls each source. What was pulled before a failure stays. Of all refs of a remote, one that cannot be pulled without a loss keeps no other back.
    /// </summary>
    internal int Run(IReadOnlyList<string> sources, PullRequest template, bool asJson)
    {
        int code = ExitCode.Done;
        var lines = new List<(PullResult Result, string Remote, long Requests, long Bytes)>();
        foreach (string source in sources)
        {
            (string place, string? from) = RemotePlace.Split(source);
            TrustedKeys? trusted = RequiresSignature(place) ? signatures.Keys(session) : null;
            using PullSource remote = open(place);
            using (session.Show("pulling", progress))
            {
                foreach (string name in from is null ? RefsOf(remote) : [from])
                {
                    (long requests, long bytes) = (remote.Requests, remote.Bytes);
                    string to = template.To.Length > 0 ? template.To : name;
                    try
                    {
                        PullResult result = Pull.Run(store, remote, template with { From = name, To = to, Trusted = trusted, Progress = progress });
                        lines.Add((result, remote.Subject, remote.Requests - requests, remote.Bytes - bytes));
                    }
                    catch (StoreException e) when (from is null && e.Remedy is Remedy.KeepCommit)
                    {
                        code = Failure.Report(e);
                    }
                }
            }
        }

        if (asJson)
        {
            JsonText.Write(writer =>
            {
                writer.WriteStartArray();
                lines.ForEach(line => Write(writer, line.Result, line.Remote, line.Requests, line.Bytes, template.DryRun));
                writer.WriteEndArray();
            });
        }
        else
        {
            lines.ForEach(line => session.Note(Sentence(line.Result, line.Requests, line.Bytes, template.DryRun)));
        }

        return code;
    }

    private bool RequiresSignature(string place) =>
        signatures.IsRequired(session) || (!RemotePlace.IsPlace(place) && store.Remotes.Find(place) is { RequiresSignature: true });

    private static IReadOnlyList<string> RefsOf(PullSource remote)
    {
        IReadOnlyList<string> refs = remote.Refs();
        return refs.Count > 0 ? refs : throw new StoreException($"{remote.Subject} has no refs");
    }

    private static string Sentence(PullResult result, long requests, long bytes, bool isDryRun)
    {
        string name = $"{result.Ref} {(isDryRun && !result.IsCurrent ? "would be" : "is")} {CommitText.Short(result.Commit)}";
        string files = $"{HumanText.Count(result.Blobs)} new files of {HumanText.Bytes(result.RawBytes)}";
        return result.IsAhead ? $"{name}, ahead of the remote"
            : result.IsCurrent ? $"{name} already"
            : isDryRun ? $"{name}: {files} to store, {HumanText.Bytes(result.BytesLeft)} to fetch in {HumanText.Count(result.RequestsLeft, "request")}"
            : $"{name} now: {files}"
                + (requests == 0 ? "" : $", fetched {HumanText.Bytes(bytes)} in {HumanText.Count(requests, "request")}")
                + (result.DeltaFrom.IsNone ? "" : $", by the delta from {CommitText.Short(result.DeltaFrom)}");
    }

    private static void Write(Utf8JsonWriter writer, PullResult result, string remote, long requests, long bytes, bool isDryRun)
    {
        writer.WriteStartObject();
        writer.WriteString("ref", result.Ref);
        writer.WriteBytes("remote", ByteText.FromArgument(remote));
        writer.WriteDigest("commit", result.Commit);
        writer.WriteDigest("before", result.Before);
        writer.WriteDigest("deltaFrom", result.DeltaFrom);
        writer.WriteNumber("blobs", result.Blobs);
        writer.WriteNumber("rawBytes", result.RawBytes);
        writer.WriteNumber("bytes", isDryRun ? result.BytesLeft : bytes);
        writer.WriteNumber("requests", isDryRun ? result.RequestsLeft : requests);
        writer.WriteBoolean("ahead", result.IsAhead);
        writer.WriteBoolean("dryRun", isDryRun);
        writer.EndItem();
    }
}
