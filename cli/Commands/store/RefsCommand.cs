using System.CommandLine;
using HackTree.Model;
using HackTree.Store;

namespace HackTree.Cli;

internal sealed class RefsCommand : Verb
{
    private readonly Option<bool> json;

    internal RefsCommand()
        : base(
            "refs",
            "List the refs: name, commit, time, subject.",
            "hacktree refs",
            "hacktree refs set debian/stable debian/bookworm~2",
            "hacktree refs alias stable debian/bookworm")
    {
        json = AddJson();
        Add(new SetRef());
        Add(new AliasRef());
        Add(new DeleteRef());
        Add(new RefsLogCommand());
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        List<string> names = store.Refs.List(), aliases = store.Refs.AliasNames();
        names = [.. names.Union(aliases).Order(StringComparer.Ordinal)];
        NamedCommit[] refs = [.. ParallelMap.Run(names, name => Read(store, name), store.Stop).Where(named => !named.IsGone)];
        foreach (NamedCommit damaged in refs.Where(named => named.Damage is not null))
        {
            session.Note(damaged.Damage!);
        }

        if (session.Get(json))
        {
            JsonText.Write(writer =>
            {
                writer.WriteStartArray();
                foreach (NamedCommit named in refs.Where(named => !named.Commit.IsNone))
                {
                    writer.WriteStartObject();
                    writer.WriteString("name", named.Name);
                    writer.WriteString("alias", named.Target);
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
            var listing = new Listing("REF", "COMMIT", new("TIME (UTC)") { Rank = 1 }, new("SUBJECT") { Rank = 2 });
            foreach (NamedCommit named in refs)
            {
                string name = named.Target is null ? named.Name : $"{named.Name} -> {named.Target}";
                string commit = named.Read is null ? "damaged" : CommitText.Short(named.Commit);
                string date = named.Read is null ? "" : HumanText.ShortDate(named.Read.Time);
                listing.Add(name, commit, date, CommitText.Line(named.Read?.Subject ?? ""));
            }

            listing.Print();
        }

        return refs.Any(named => named.Damage is not null) ? ExitCode.Failed : ExitCode.Done;
    }

    /// <summary>Reads one ref. A damaged ref must not hide the others, and one that was deleted since it was listed is none.</summary>
    private static NamedCommit Read(ObjectStore store, string name)
    {
        try
        {
            (string end, Digest commit) = store.Refs.Follow(name);
            string? target = end == name ? null : store.Refs.AliasOf(name);
            return commit.IsNone && target is not null
                ? throw new StoreException($"the alias '{name}' leads nowhere: there is no ref '{end}'", new Remedy.SetAlias())
                : new NamedCommit(name, target, commit, commit.IsNone ? null : store.Packs.ReadCommit(commit), Damage: null);
        }
        catch (StoreException e)
        {
            return new NamedCommit(name, Target: null, default, Read: null, RemedyText.Sentence(e));
        }
    }

    private sealed record NamedCommit(string Name, string? Target, Digest Commit, Commit? Read, string? Damage)
    {
        public bool IsGone => Read is null && Damage is null;
    }

    private sealed class SetRef : Verb
    {
        private readonly Argument<string> name;
        private readonly Argument<string> revision;

        internal SetRef()
            : base("set", "Set a ref to a commit.", "hacktree refs set debian/stable debian/bookworm~2")
        {
            name = AddRevision("REF", "The ref. A new ref is made.");
            revision = AddRevision("COMMIT", "The commit.");
        }

        protected override int Run(Session session)
        {
            string text = session.Get(name);
            RefName.Require(text);
            using ObjectStore store = session.OpenStoreToWrite();
            DurableCommit commit = store.MakeDurable(Revision.Resolve(store, session.Get(revision)));
            using var turn = RefTurn.Take(store);
            store.Refs.RequireFree(text);
            turn.Set(text, commit, $"set to {session.Get(revision)}");
            return ExitCode.Done;
        }

        protected override string Undone(Session session) => "the ref is what it was";
    }

    private sealed class AliasRef : Verb
    {
        private readonly Argument<string> name;
        private readonly Argument<string> target;

        internal AliasRef()
            : base("alias", "Make a name that means what a ref means, now and after each change of that ref.", "hacktree refs alias stable debian/bookworm")
        {
            Details = "An alias stands wherever a commit is named, and as a ref to push, to pull from, and to upgrade from. It cannot be set, committed to or "
                + "pulled into itself. Elsewhere it is an ordinary ref: a push or a clone sends the commit under the alias's name. A ref that has an alias "
                + "cannot be deleted. Another target may be given at any time; `hacktree refs delete` deletes the alias.";
            name = AddRevision("ALIAS", "The alias. A new one is made.");
            target = AddRevision("REF", "The ref that it means, or another alias.");
        }

        protected override int Run(Session session)
        {
            using ObjectStore store = session.OpenStoreToWrite();
            using var turn = RefTurn.Take(store);
            turn.SetAlias(session.Get(name), session.Get(target));
            return ExitCode.Done;
        }

        protected override string Undone(Session session) => "the alias is what it was";
    }

    private sealed class DeleteRef : Verb
    {
        private readonly Argument<string> name;

        internal DeleteRef()
            : base("delete", "Delete a ref or an alias.", "hacktree refs delete debian/bookworm")
        {
            Details = "Its commits stay until gc, or as long as another ref or a root needs them.";
            name = AddRevision("REF", "The ref.");
        }

        protected override int Run(Session session)
        {
            using ObjectStore store = session.OpenStoreToWrite();
            using var turn = RefTurn.Take(store);
            turn.Delete(session.Get(name));
            return ExitCode.Done;
        }

        protected override string Undone(Session session) => "the ref is what it was";
    }
}
