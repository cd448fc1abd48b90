using System.CommandLine;
using HackTree.Model;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

/// <summary>The group of commands about deltas. It does nothing itself.</summary>
internal sealed class DeltaCommand : Verb
{
    internal DeltaCommand()
        : base(
            "delta",
            "Carry an update in a file: the difference of two commits.",
            "hacktree delta make debian/bookworm^ debian/bookworm -o update.delta",
            "hacktree delta apply update.delta -b debian/bookworm")
    {
        Details = "push sends deltas by itself, and pull uses them. A file is for machines that reach no server.";
        Add(new MakeDelta());
        Add(new ApplyDelta());
    }

    protected override int Run(Session session) => throw new UsageException("say what to do: make or apply a delta; see `hacktree delta --help`");

    private static void Print(Session session, Option<bool> json, DeltaResult result, string sentence)
    {
        session.Note(sentence);
        if (session.Get(json))
        {
            JsonText.Write(writer =>
            {
                writer.WriteStartObject();
                writer.WriteDigest("from", result.From);
                writer.WriteDigest("to", result.To);
                writer.WriteNumber("blobs", result.Blobs);
                writer.WriteNumber("rawBytes", result.RawBytes);
                writer.WriteNumber("bytes", result.Length);
                writer.WriteEndObject();
            });
        }
    }

    private static string Files(DeltaResult result) => $"{HumanText.Count(result.Blobs, "file")} of {HumanText.Bytes(result.RawBytes)}";

    private sealed class MakeDelta : Verb
    {
        private readonly Argument<string> from;
        private readonly Argument<string> to;
        private readonly Option<string> output = new("-o", "--output")
        {
            Description = "The file to write; - is standard output.",
            HelpName = "FILE",
            Required = true,
        };
        private readonly Option<bool> json;

        internal MakeDelta()
            : base(
                "make",
                "Write the difference of two commits to a file.",
                "hacktree delta make debian/bookworm^ debian/bookworm -o update.delta")
        {
            from = AddRevision("FROM", "The commit that the other machine has.");
            to = AddRevision("TO", "The commit that it is to get.");
            Add(output);
            json = AddJson();
            AddRule(result =>
            {
                if (result.GetValue(json) && result.GetValue(output) == OutputFile.Standard)
                {
                    result.AddError("--json prints to standard output, so -o must be a file");
                }
            });
            Details = "Signatures of the commit go along. The same two commits make the same bytes.";
        }

        // What went into a pipe cannot be taken back, and the pipe's reader may keep the command waiting in write(2).
        protected override StopWay WayToStop(Session session) =>
            session.Get(output) == OutputFile.Standard ? StopWay.EndAtOnce : StopWay.TakeBack;

        protected override int Run(Session session)
        {
            using ObjectStore store = session.OpenStore();
            store.RequireReadable();
            Digest before = Revision.Resolve(store, session.Get(from)), after = Revision.Resolve(store, session.Get(to));
            string path = session.Get(output)!;
            using var file = OutputFile.CreateOrStandard(path, "a delta", "-o FILE");
            DeltaResult made = DeltaTransfer.Make(store, before, after, file.Stream);
            file.Complete();
            Print(session, json, made, $"{(path == OutputFile.Standard ? StandardOutput.Subject : path)}: {HumanText.Bytes(made.Length)} for {Files(made)}");
            return ExitCode.Done;
        }

        protected override string Undone(Session session) => $"{session.Get(output)} was not written";
    }

    private sealed class ApplyDelta : Verb
    {
        private readonly Argument<string> file = new("FILE") { Description = "The file." };
        private readonly Option<string> name = new("-b", "--branch") { Description = "The ref to set to the new commit.", HelpName = "REF", Required = true };
        private readonly Option<bool> allowDowngrade = new("--allow-downgrade") { Description = "Set the ref also to a commit that is older than its own." };
        private readonly Option<bool> force = new("--force", "-f") { Description = "Set the ref also where it has a commit made here that would be lost." };
        private readonly SignatureOptions signatures = new("Take the commit only if a trusted key signed it.");
        private readonly Option<bool> json;

        internal ApplyDelta()
            : base("apply", "Add the commit of such a file to the store.", "hacktree delta apply update.delta -b debian/bookworm")
        {
            Add(file);
            Add(name);
            Add(allowDowngrade);
            Add(force);
            signatures.AddTo(this);
            json = AddJson();
            Details = "The store must have the commit that the file was made from. Each file is compared with the commit before it is stored, and the ref is "
                + "set last.";
        }

        protected override int Run(Session session)
        {
            string path = session.Get(file);
            TrustedKeys? trusted = signatures.IsRequired(session) ? signatures.Keys(session) : null;
            var progress = new Progress();
            var request = new DeltaRequest(session.Get(name)!)
            {
                AllowDowngrade = session.Get(allowDowngrade),
                Force = session.Get(force),
                Trusted = trusted,
                Progress = progress,
            };
            using ObjectStore store = session.OpenStoreToWrite();
            DeltaResult result;
            using (session.Show("applying", progress))
            {
                var delta = OpenPath.Content(path);
                result = DeltaTransfer.Apply(store, delta, ByteText.Quote(ByteText.FromArgument(path)), request);
            }

            Print(session, json, result, $"{session.Get(name)} is {CommitText.Short(result.To)} now: {Files(result)}");
            return ExitCode.Done;
        }

        protected override string Undone(Session session) => $"{session.Get(name)} was not set";
    }
}
