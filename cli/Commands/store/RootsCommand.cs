using System.CommandLine;
using HackTree.Boot;
using HackTree.Checkout;
using HackTree.Linux;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class RootsCommand : Verb
{
    private const string Missing = "missing";
    private const string Foreign = "foreign";

    private readonly Option<bool> json;

    internal RootsCommand()
        : base("roots", "List the roots, and the commit of each.", "hacktree roots", "hacktree roots pin r1", "hacktree roots rm r1")
    {
        json = AddJson();
        Details = "Lists checkouts of whole trees on the store's filesystem. Parts of trees (--subpath) and copies on other filesystems are plain "
            + "directories: the store does not know them, and rm -r removes them. Commits that `hacktree mount` mounted are listed too.";
        Add(new Pin("pin", "Keep a root from being replaced, or turned into another one.", RootState.Pinned));
        Add(new Pin("unpin", "Let a pinned root be replaced again.", RootState.Ready));
        Add(new Remove());
        Add(new RootsCheckCommand());
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        bool hasDamage = false;
        var roots = new List<(string Name, RootEntry Record)>();
        foreach (string name in store.Roots.Names())
        {
            try
            {
                if (store.Roots.Read(name) is { } record)
                {
                    roots.Add((name, record));
                }
            }
            catch (CorruptException e)
            {
                session.Note(RemedyText.Sentence(e));
                hasDamage = true;
            }
        }

        if (session.Get(json))
        {
            WriteJson(store, roots);
        }
        else
        {
            Print(store, roots);
        }

        return hasDamage ? ExitCode.Failed : ExitCode.Done;
    }

    private static void Print(ObjectStore store, List<(string Name, RootEntry Record)> roots)
    {
        var listing = new Listing(
            "STATE",
            new("PATH") { IsPath = true },
            "COMMIT",
            new("TIME (UTC)") { Rank = 2 },
            new("METHOD") { Rank = 3 },
            new("REVISION") { Rank = 1 });
        RootRecord? running = Running(store);
        HashSet<string> readOnly = ReadOnlyMount.Find(store);
        foreach ((_, RootEntry record) in roots)
        {
            string path = store.Roots.AbsolutePath(record), state = State(path, record);
            string mark = record == running ? ", running" : state is Missing or Foreign && IsPinned(record) ? ", pinned" : "";
            mark += readOnly.Contains(path) ? ", read-only" : "";
            string commit = CommitText.Short(record.Commit), time = HumanText.ShortDate(record.Time);
            listing.Add(state + mark, CommitText.Line(path), commit, time, Lower(record.Method), CommitText.Line(record.Revision));
        }

        foreach ((string path, Digest commit, bool isReadOnly) in Mounted(store))
        {
            listing.Add(isReadOnly ? "mounted, read-only" : "mounted", CommitText.Line(path), CommitText.Short(commit), "", "image", "");
        }

        listing.Print();
    }

    /// <summary>The commits of this store that are mounted.</summary>
    private static IEnumerable<(string Path, Digest Commit, bool IsReadOnly)> Mounted(ObjectStore store) =>
        ImageMount.Find().Where(mount => store.Packs.Contains(mount.Commit));

    private static void WriteJson(ObjectStore store, List<(string Name, RootEntry Record)> roots) => JsonText.Write(writer =>
    {
        RootRecord? running = Running(store);
        HashSet<string> readOnly = ReadOnlyMount.Find(store);
        writer.WriteStartArray();
        foreach ((string name, RootEntry record) in roots)
        {
            string path = store.Roots.AbsolutePath(record);
            writer.WriteStartObject();
            writer.WriteString("name", name);
            writer.WriteString("state", State(path, record));
            writer.WriteBytes("path", ByteText.FromArgument(path));
            writer.WriteString("commit", record.Commit.ToString());
            writer.WriteString("revision", record.Revision);
            writer.WriteNumber("time", record.Time);
            writer.WriteString("method", Lower(record.Method));
            writer.WriteBoolean("pinned", IsPinned(record));
            writer.WriteBoolean("running", record == running);
            writer.WriteBoolean("readOnly", readOnly.Contains(path));
            writer.EndItem();
        }

        foreach ((string path, Digest commit, bool isReadOnly) in Mounted(store))
        {
            writer.WriteStartObject();
            writer.WriteNull("name");
            writer.WriteString("state", "mounted");
            writer.WriteBytes("path", ByteText.FromArgument(path));
            writer.WriteDigest("commit", commit);
            writer.WriteString("method", "image");
            writer.WriteBoolean("readOnly", isReadOnly);
            writer.EndItem();
        }

        writer.WriteEndArray();
    });

    /// <summary>
    /// The state of a root. A root that a user removed by hand has a record until gc, or longer if it was an image. Something else in its place, such as a
    /// copy of the root or a mount, is foreign.
    /// </summary>
    private static string State(string path, RootEntry record) =>
        record is not RootRecord root ? "partial"
        : Sys.Stat(Sys.WorkingDirectory, ByteText.FromArgument(path), out FileStatus status) != Errno.None ? Missing
        : root.IsOf(status) ? Lower(root.State)
        : Foreign;

    private static bool IsPinned(RootEntry record) => record is RootRecord { State: RootState.Pinned };

    /// <summary>The record of the root that this system runs on; null if it runs on none of the store.</summary>
    private static RootRecord? Running(ObjectStore store) =>
        RunningRoot.RecordOf(store, "/");

    private static string Lower<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();

    private sealed class Pin : Verb
    {
        private readonly Argument<string> name = new("ROOT") { Description = "The root's name or path." };
        private readonly RootState state;

        internal Pin(string verb, string description, RootState state)
            : base(verb, description, $"hacktree roots {verb} r1")
        {
            this.state = state;
            Add(Completions.WithRoots(name));
        }

        protected override int Run(Session session)
        {
            using ObjectStore store = session.OpenStoreToWrite();
            store.Roots.SetState(session.Get(name), state);
            return ExitCode.Done;
        }
    }

    private sealed class Remove : Verb
    {
        private readonly Argument<string[]> names = new("ROOT") { Description = "The root's name or path.", Arity = ArgumentArity.OneOrMore };

        internal Remove()
            : base("rm", "Remove roots that are neither in use nor pinned. gc then frees what only they needed.", "hacktree roots rm r1") =>
            Add(Completions.WithRoots(names));

        protected override int Run(Session session)
        {
            using ObjectStore store = session.OpenStoreToWrite();
            int code = ExitCode.Done;
            foreach (string name in session.Get(names))
            {
                try
                {
                    new BootableRoots(store).Remove(name, mayWait: true);
                }
                catch (Exception e) when (e is StoreException or LinuxException)
                {
                    // Like rm, it reports a root that cannot be removed, and goes on.
                    code = Failure.Report(e);
                }
            }

            return code;
        }

        protected override string Undone(Session session) => "the roots that `hacktree roots` lists are whole";
    }
}
