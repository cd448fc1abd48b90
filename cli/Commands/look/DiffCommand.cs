using System.CommandLine;
using System.Text.Json;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Cli;

internal sealed class DiffCommand : Verb
{
    private static readonly string[] KindNames = ["added", "removed", "modified", "typeChanged"];

    private readonly Argument<string> first;
    private readonly Argument<string> second;
    private readonly Option<bool> stat = new("--stat") { Description = "Print only the number of changes of each kind, and their bytes." };
    private readonly Option<bool> json;

    internal DiffCommand()
        : base(
            "diff",
            "List what differs between two trees.",
            "hacktree diff debian/bookworm^ debian/bookworm",
            "hacktree diff --stat debian/bookworm /r1")
    {
        Details = "A added, D deleted, M modified (content, target or metadata), T type changed. A name that is both a commit's and a "
            + "directory's means the commit. Exit code 3 if the trees differ.";
        first = AddRevision("BEFORE", "A commit, or a directory: /path, ./path, or a name that no commit has.");
        second = AddRevision("AFTER", "The commit or directory to compare with.");
        Add(stat);
        json = AddJson();
    }

    /// <summary>The name of a kind of change in JSON.</summary>
    internal static string NameOf(ChangeKind kind) => KindNames[(int)kind];

    /// <summary>Prints a line for each change from one commit to another.</summary>
    internal static void Print(ObjectStore store, Digest before, Digest after) => TreeDiff.Run(
        store.Packs,
        Describe(store, before).AsEntry(),
        Describe(store, after).AsEntry(),
        (ChangeKind kind, PathBuffer path, in TreeEntry _, in TreeEntry _) => Print(kind, path));

    private static void Print(ChangeKind kind, PathBuffer path)
    {
        (string start, string end) = ColorOf(kind);
        Session.Output.Write($"{start}{"ADMT"[(int)kind]} {ByteText.Quote(path.Bytes.IsEmpty ? "."u8 : path.Bytes)}{end}\n");
    }

    private static ImportResult Describe(ObjectStore store, Digest digest)
    {
        Commit commit = store.Packs.ReadCommit(digest);
        return new ImportResult(commit.Tree, commit.RootMetadata, commit.RootXattrs.ToArray(), commit.Files, commit.ContentBytes, []);
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        using var scratch = new ScratchPack(store);
        ImportResult before = Read(session, scratch, session.Get(first));
        ImportResult after = Read(session, scratch, session.Get(second));
        scratch.Attach();
        var totals = new Totals();
        if (session.Get(json))
        {
            JsonText.Write(writer => WriteJson(
                writer,
                totals,
                session.Get(stat),
                visitor => TreeDiff.Run(store.Packs, before.AsEntry(), after.AsEntry(), visitor)));
        }
        else
        {
            TreeDiff.Run(store.Packs, before.AsEntry(), after.AsEntry(), (ChangeKind kind, PathBuffer path, in TreeEntry old, in TreeEntry now) =>
            {
                totals.Add(kind, old, now);
                if (!session.Get(stat))
                {
                    Print(kind, path);
                }
            });
            Print(session, totals);
        }

        return totals.Sum == 0 ? ExitCode.Done : ExitCode.Found;
    }

    private static (string Start, string End) ColorOf(ChangeKind kind) => kind switch
    {
        ChangeKind.Added => Colors.Green,
        ChangeKind.Removed => Colors.Red,
        _ => Colors.Yellow,
    };

    private void Print(Session session, Totals totals)
    {
        if (session.Get(stat))
        {
            Session.Output.WriteLine($"{HumanText.Count(totals[ChangeKind.Added])} added, {HumanText.Count(totals[ChangeKind.Removed])} deleted, "
                + $"{HumanText.Count(totals[ChangeKind.Modified])} modified, {HumanText.Count(totals[ChangeKind.TypeChanged])} of another type; "
                + $"{HumanText.Bytes(totals.BytesAdded)} in new or changed files, {HumanText.Bytes(totals.BytesRemoved)} in those they replace");
        }
    }

    private static void WriteJson(Utf8JsonWriter writer, Totals totals, bool isStat, Action<ChangeVisitor> run)
    {
        writer.WriteStartObject();
        if (!isStat)
        {
            writer.WriteStartArray("changes");
        }

        run((ChangeKind kind, PathBuffer path, in TreeEntry old, in TreeEntry now) =>
        {
            totals.Add(kind, old, now);
            if (!isStat)
            {
                writer.WriteStartObject();
                writer.WriteString("change", KindNames[(int)kind]);
                writer.WriteBytes("path", path.Bytes);
                writer.WriteString("type", EntryText.TypeOf(now.Exists ? now.Kind : old.Kind));
                writer.EndItem();
            }
        });
        if (!isStat)
        {
            writer.WriteEndArray();
        }

        for (ChangeKind kind = ChangeKind.Added; kind <= ChangeKind.TypeChanged; kind++)
        {
            writer.WriteNumber(KindNames[(int)kind], totals[kind]);
        }

        writer.WriteNumber("bytesAdded", totals.BytesAdded);
        writer.WriteNumber("bytesRemoved", totals.BytesRemoved);
        writer.WriteEndObject();
    }

    /// <summary>Reads a commit's tree, or a directory. A directory's trees go into a scratch pack, which no other process sees.</summary>
    private static ImportResult Read(Session session, ScratchPack scratch, string text)
    {
        if (!IsPath(text))
        {
            try
            {
                return Describe(scratch.Store, Revision.Resolve(scratch.Store, text));
            }
            catch (StoreException e) when (e is not CorruptException && IsDirectory(text))
            {
                // No commit has that name, so it means the directory.
            }
        }

        var options = new ImportOptions { Progress = new Progress() };
        using ProgressLine? line = session.Show($"reading {text}", options.Progress);
        ImportResult result = TreeImport.Describe(scratch, text, options);
        foreach (string note in result.Notes)
        {
            session.Note(note);
        }

        return result;
    }

    /// <summary>Whether a word begins or ends as only a path does. Refs have slashes too, but only between names.</summary>
    private static bool IsPath(string text) =>
        text is "." or ".." || text.StartsWith('/') || text.EndsWith('/')
        || text.StartsWith("./", StringComparison.Ordinal) || text.StartsWith("../", StringComparison.Ordinal);

    private static bool IsDirectory(string text)
    {
        Errno errno = Sys.Open(Sys.WorkingDirectory, ByteText.FromArgument(text), OpenFlags.Path | OpenFlags.Directory, out SafeFileHandle directory);
        directory.Dispose();
        return errno == Errno.None;
    }

    private sealed class Totals
    {
        private readonly long[] counts = new long[KindNames.Length];

        public long this[ChangeKind kind] => counts[(int)kind];

        public long Sum => counts.Sum();

        public long BytesAdded { get; private set; }

        public long BytesRemoved { get; private set; }

        public void Add(ChangeKind kind, in TreeEntry before, in TreeEntry after)
        {
            counts[(int)kind]++;

            // If only metadata changed, no content was added or removed.
            bool isSameContent = before.Kind == EntryKind.Regular && after.Kind == EntryKind.Regular && before.Digest == after.Digest;
            BytesAdded += isSameContent ? 0 : after.Size;
            BytesRemoved += isSameContent ? 0 : before.Size;
        }
    }
}
