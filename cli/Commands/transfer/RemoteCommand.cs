using System.CommandLine;
using HackTree.Model;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

internal sealed class RemoteCommand : Verb
{
    private readonly Option<bool> json;

    internal RemoteCommand()
        : base(
            "remote",
            "List the remotes: names of places to push to and pull from.",
            "hacktree remote",
            "hacktree remote add origin oci://registry.example.com/images/debian")
    {
        json = AddJson();
        Add(new AddRemote());
        Add(new RemoveRemote());
        Add(new ShowRemote());
    }

    protected override StopWay WayToStop(Session session) => StopWay.EndAtOnce;

    protected override int Run(Session session)
    {
        using ObjectStore store = session.OpenStore();
        (string Name, NamedRemote? Remote)[] remotes = [.. store.Remotes.List().Select(name => (name, store.Remotes.Find(name)))];
        if (session.Get(json))
        {
            JsonText.Write(writer =>
            {
                writer.WriteStartArray();
                foreach ((string name, NamedRemote? remote) in remotes)
                {
                    writer.WriteStartObject();
                    writer.WriteString("name", name);
                    writer.WriteString("url", remote?.Url);
                    writer.WriteBoolean("requireSignature", remote?.RequiresSignature ?? false);
                    writer.WriteString("ca", remote?.Authorities);
                    writer.WriteString("cert", remote?.Certificate);
                    writer.WriteString("key", remote?.Key);
                    writer.EndItem();
                }

                writer.WriteEndArray();
            });
        }
        else
        {
            var listing = new Listing("REMOTE", "URL", "SIGNED");
            foreach ((string name, NamedRemote? remote) in remotes)
            {
                listing.Add(name, remote?.Url ?? "", remote is { RequiresSignature: true } ? "required" : "");
            }

            listing.Print();
        }

        return ExitCode.Done;
    }

    private sealed class AddRemote : Verb
    {
        private readonly Argument<string> name = new("NAME") { Description = "The name." };
        private readonly Argument<string> url = new("URL") { Description = "oci://HOST/NAME, https://HOST/PATH, ssh://HOST/STORE, file:///PATH or a path." };
        private readonly ServerOptions servers = new();
        private readonly Option<bool> require = new("--require-signature") { Description = "Pull from there only commits that a trusted key signed." };

        internal AddRemote()
            : base("add", "Give a place a name.", "hacktree remote add origin oci://registry.example.com/images/debian")
        {
            Add(name);
            Add(url);
            Add(require);
            servers.AddCertificatesTo(this);
            Details = "The files of --ca, --cert and --key are read by each command that speaks to the remote, unless it names others.";
        }

        protected override int Run(Session session)
        {
            var place = RemotePlace.Parse(session.Get(url));
            NamedRemote remote = servers.WithCertificates(session, new NamedRemote(place.ToString(), session.Get(require)));
            using ObjectStore store = session.OpenStoreToWrite();
            store.Remotes.Add(session.Get(name), remote);
            return ExitCode.Done;
        }
    }

    private sealed class RemoveRemote : Verb
    {
        private readonly Argument<string> name = new("NAME") { Description = "The remote." };

        internal RemoveRemote()
            : base("remove", "Forget a remote. Its refs here stay.", "hacktree remote remove origin") => Add(name);

        protected override int Run(Session session)
        {
            using ObjectStore store = session.OpenStoreToWrite();
            store.Remotes.Remove(session.Get(name));
            return ExitCode.Done;
        }
    }

    private sealed class ShowRemote : RemoteVerb
    {
        private readonly Argument<string> name = new("REMOTE") { Description = "A remote's name, a URL or a path." };
        private readonly Option<bool> json = Json();

        internal ShowRemote()
            : base("show", "List the refs that a remote has.", "hacktree remote show origin")
        {
            Add(name);
            AddServerOptions();
            Add(json);
        }

        protected override int Run(Session session)
        {
            using ObjectStore store = session.OpenStore();
            using PullSource remote = OpenSource(session, store, session.Get(name));
            string[] refs = [.. remote.Refs()];
            if (session.Get(json))
            {
                JsonText.Write(writer =>
                {
                    writer.WriteStartObject();
                    writer.WriteBytes("url", ByteText.FromArgument(remote.Subject));
                    writer.WriteStrings("refs", refs);
                    writer.WriteEndObject();
                });
                return ExitCode.Done;
            }

            var listing = new Listing("REF");
            Array.ForEach(refs, each => listing.Add(each));
            listing.Print();
            return ExitCode.Done;
        }
    }
}
