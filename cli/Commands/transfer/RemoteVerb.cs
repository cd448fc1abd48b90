using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

/// <summary>A command that speaks to a remote: how it is found, and the options for servers.</summary>
internal abstract class RemoteVerb : Verb
{
    private readonly ServerOptions servers = new();

    protected RemoteVerb(string name, string description, params string[] examples)
        : base(name, description, examples)
    {
    }

    /// <summary>Adds the options for servers. They stand behind the command's own.</summary>
    protected void AddServerOptions() => servers.AddTo(this);

    /// <summary>Opens a registry or an image layout: a URL, a path, or a name that the store has for one.</summary>
    protected Remote Open(Session session, ObjectStore store, string text) =>
        PlaceOf(store, text, out NamedRemote? named).Open(servers.Get(session, named), Session.Stop);

    /// <summary>Opens a registry or an image layout.</summary>
    protected Remote Open(Session session, RemotePlace place) => place.Open(servers.Get(session), Session.Stop);

    /// <summary>Opens what text names to pull from it: a URL, a path, or a name that the store has for one.</summary>
    protected PullSource OpenSource(Session session, ObjectStore store, string text, long bytesPerSecond = 0) =>
        PlaceOf(store, text, out NamedRemote? named).OpenSource(store, servers.Get(session, named, bytesPerSecond), Session.Stop);

    /// <summary>Opens what text names to push to it, likewise.</summary>
    protected PushTarget OpenTarget(Session session, ObjectStore store, string text) =>
        PlaceOf(store, text, out NamedRemote? named).OpenTarget(store, servers.Get(session, named), Session.Stop);

    /// <summary>A remote with the files of certificates that the command line names. Throws <see cref="StoreException"/> if one cannot be used.</summary>
    protected NamedRemote WithCertificates(Session session, NamedRemote remote) => servers.WithCertificates(session, remote);

    /// <summary>The place that a URL, a path, or a name that the store has for one means. <paramref name="named"/> is what the store has of it.</summary>
    internal static RemotePlace PlaceOf(ObjectStore store, string text, out NamedRemote? named)
    {
        named = RemotePlace.IsPlace(text) ? null
            : store.Remotes.Find(text)
            ?? throw new StoreException($"there is no remote '{text}'; `hacktree remote` lists them, and a URL or a path with '/' is a place itself");
        return RemotePlace.Parse(named?.Url ?? text);
    }
}
