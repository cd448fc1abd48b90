using System.CommandLine;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class RefsCommand : Verb
{
    private readonly Option<bool> json;

    internal RefsCommand()
        : base("refs", "List the refs: name, commit, time, subject.", "hacktree refs", "hacktree refs set debian/stable debian/bookworm~2")
    {
        json = AddJson();
        Add(new SetRef());
        Add(new DeleteRef());
    }

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        List<NamedCommit> refs = [.. store.Refs.List().Select(name => Read(store, name, session))];
        if (session.Get(json))
        {
            JsonText.Write(writer =>
            {
                writer.WriteStartArray();
                foreach (NamedCommit named in refs.Where(named => !named.Commit.IsNone))
                {
                    writer.WriteStartObject();
                    writer.WriteString("name", named.Name);
                    writer.WriteDigest("commit", named.Commit);
                    writer.WriteNumber("time", named.Read!.Time);
                    writer.WriteString("subject", named.Read.Subject);
                    writer.EndItem();
                }

                writer.WriteEndArray();
            });
        }
        else
        {
            var listing = new Listing("REF", "COMMIT", "TIME (UTC)", "SUBJECT");
            foreach (NamedCommit named in refs)
            {
                listing.Add(named.Name, named.Read is null ? "damaged" : CommitText.Short(named.Commit), named.Read is null ? "" : HumanText.ShortDate(named.Read.Time), CommitText.Line(named.Read?.Subject ?? ""));
            }

            listing.Print();
        }

        return refs.Exists(named => named.Read is null) ? ExitCode.Failed : ExitCode.Done;
    }

    /// <summary>One damaged ref must not hide the others.</summary>
    private static NamedCommit Read(ObjectStore store, string name, Session session)
    {
        try
        {
            Digest commit = store.Refs.Find(name);
            return new NamedCommit(name, commit, store.Packs.ReadCommit(commit));
        }
        catch (CorruptException e)
        {
            session.Note(e.Message);
            return new NamedCommit(name, default, null);
        }
    }

    private sealed record NamedCommit(string Name, Digest Commit, Commit? Read);

    private sealed class SetRef : Verb
    {
        private readonly Argument<string> name;
        private readonly Argument<string> revision;

        internal SetRef()
            : base("set", "Make a ref name a commit.", "hacktree refs set debian/stable debian/bookworm~2")
        {
            name = AddRevision("REF", "The ref; made where there is none.");
            revision = AddRevision("COMMIT", "The commit.");
        }

        protected override int Run(Session session)
        {
            string text = session.Get(name);
            RefName.Require(text);
            using ObjectStore store = session.OpenStoreToWrite();
            Digest commit = Revision.Resolve(store, session.Get(revision));

            // Another process may have published the commit a moment ago: a ref names only what is durable.
            store.Sync();
            using IDisposable turn = store.Refs.TakeTurn();
            store.Refs.RequireFree(text);
            store.Refs.Set(text, commit, $"set to {session.Get(revision)}");
            return ExitCode.Done;
        }
    }

    private sealed class DeleteRef : Verb
    {
        private readonly Argument<string> name;

        internal DeleteRef()
            : base("delete", "Delete a ref.", "hacktree refs delete debian/bookworm")
        {
            Details = "Its commits stay until gc, and longer where another ref or a root needs them.";
            name = AddRevision("REF", "The ref.");
        }

        protected override int Run(Session session)
        {
            using ObjectStore store = session.OpenStoreToWrite();
            using IDisposable turn = store.Refs.TakeTurn();
            store.Refs.Delete(session.Get(name));
            return ExitCode.Done;
        }
    }
}
