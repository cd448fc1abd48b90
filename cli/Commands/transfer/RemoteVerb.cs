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
    protected Remote Open(Session session, ObjectStore store, string text) => Open(session, PlaceOf(store, text));

    /// <summary>Opens a registry or an image layout.</summary>
    protected Remote Open(Session session, RemotePlace place) => place.Open(servers.Get(session), Session.Stop);

    /// <summary>Opens what text names to pull from it: a URL, a path, or a name that the store has for one.</summary>
    protected PullSource OpenSource(Session session, ObjectStore store, string text, long bytesPerSecond = 0) =>
        PlaceOf(store, text).OpenSource(store, servers.Get(session, bytesPerSecond), Session.Stop);

    /// <summary>Opens what text names to push to it, likewise.</summary>
    protected PushTarget OpenTarget(Session session, ObjectStore store, string text) =>
        PlaceOf(store, text).OpenTarget(store, servers.Get(session), Session.Stop);

    /// <summary>The place that a URL, a path, or a name that the store has for one means.</summary>
    internal static RemotePlace PlaceOf(ObjectStore store, string text) => RemotePlace.IsPlace(text)
        ? RemotePlace.Parse(text)
        : store.Remotes.Find(text) is { } named ? RemotePlace.Parse(named.Url)
        : throw new StoreException($"there is no remote '{text}'; `hacktree remote` lists them, and a URL or a path with '/' is a place itself");
}
