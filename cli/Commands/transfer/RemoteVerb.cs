using System.CommandLine;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

/// <summary>A command that speaks to a remote: how it is found, and the options for servers.</summary>
internal abstract class RemoteVerb : Verb
{
    private const string Headers = "--http-header";

    private readonly Option<bool> plainHttp = new("--plain-http")
    {
        Description = "Speak to the server without encryption. On this machine itself that is the default.",
    };

    private readonly Option<string[]> headers = new(Headers)
    {
        Description = "A header of each request: 'NAME: VALUE'. Repeatable.",
        HelpName = "HEADER",
        DefaultValueFactory = _ => [],
    };

    private readonly Option<string?> authorities = new("--ca")
    {
        Description = "A file with the certificates that sign the server's, instead of those that the system trusts.",
        HelpName = "FILE",
    };

    private readonly Option<string?> certificate = new("--cert") { Description = "A file with this client's certificate.", HelpName = "FILE" };
    private readonly Option<string?> key = new("--key") { Description = "A file with the key of --cert, if it is not in the same file.", HelpName = "FILE" };

    protected RemoteVerb(string name, string description, params string[] examples)
        : base(name, description, examples) =>
        AddRule(result =>
        {
            if (result.GetValue(headers)?.FirstOrDefault(header => header.IndexOf(':', StringComparison.Ordinal) < 1) is { } wrong)
            {
                result.AddError($"{Headers} takes 'NAME: VALUE', not '{wrong}'");
            }
        });

    /// <summary>Adds the options for servers. They stand behind the command's own.</summary>
    protected void AddServerOptions()
    {
        Add(plainHttp);
        Add(headers);
        Add(authorities);
        Add(certificate);
        Add(key);
    }

    /// <summary>Opens a remote: a URL, a path, or a name that the store has for one.</summary>
    protected Remote Open(Session session, ObjectStore store, string text, long bytesPerSecond = 0) => PlaceOf(store, text).Open(
        new WebOptions
        {
            PlainHttp = session.Get(plainHttp),
            Headers = session.Get(headers)!,
            Authorities = session.Get(authorities),
            Certificate = session.Get(certificate),
            Key = session.Get(key),
            BytesPerSecond = bytesPerSecond,
        },
        Session.Stop);

    /// <summary>The place that a URL, a path, or a name that the store has for one means.</summary>
    internal static RemotePlace PlaceOf(ObjectStore store, string text) => RemotePlace.IsPlace(text)
        ? RemotePlace.Parse(text)
        : store.Remotes.Find(text) is { } named ? RemotePlace.Parse(named.Url)
        : throw new StoreException($"there is no remote '{text}'; `hacktree remote` lists them, and a URL or a path with '/' is a place itself");
}
