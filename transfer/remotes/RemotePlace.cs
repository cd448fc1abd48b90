using System.Text.RegularExpressions;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>The kinds of remote.</summary>
public enum RemoteKind
{
    /// <summary>A repository in an OCI registry: <c>oci://HOST/NAME</c>.</summary>
    Registry,
    /// <summary>An OCI image layout on a web server: <c>https://HOST/PATH</c>. It can only be read.</summary>
    Web,
    /// <summary>A store, or an OCI image layout, in a directory: <c>file:///PATH</c>, or a path.</summary>
    Directory,
    /// <summary>A store on another machine: <c>ssh://[USER@]HOST[:PORT]/PATH</c>.</summary>
    Ssh,
}

/// <summary>Where a remote is: a URL that was taken apart.</summary>
/// <param name="Kind">What kind of remote it is.</param>
/// <param name="Host">Host and port, as in the URL; empty for a directory.</param>
/// <param name="Path">The path without the slash before it; for a directory, the absolute path.</param>
/// <param name="IsPlain">Whether the URL itself says plain http.</param>
public sealed partial record RemotePlace(RemoteKind Kind, string Host, string Path, bool IsPlain)
{
    private const string SchemeEnd = "://";

    /// <summary>Whether the host is this machine, to which plain http is safe.</summary>
    public bool IsLoopback =>
        HostName is "localhost" || (System.Net.IPAddress.TryParse(HostName, out System.Net.IPAddress? address) && System.Net.IPAddress.IsLoopback(address));

    private string HostName => new Uri($"http://{Host}").Host.Trim('[', ']');

    /// <summary>The URL.</summary>
    public override string ToString() => Kind switch
    {
        RemoteKind.Registry => $"oci://{Host}/{Path}",
        RemoteKind.Ssh => $"ssh://{Host}/{Path}",
        RemoteKind.Web => $"{(IsPlain ? "http" : "https")}://{Host}/{Path}",
        _ => $"file://{Path}",
    };

    /// <summary>Whether the text is meant as a place, rather than as the name of a remote, which has no '/'. A ref may stand behind either.</summary>
    public static bool IsPlace(string text) => text.StartsWith('.') || Split(text).Remote.Contains('/', StringComparison.Ordinal);

    /// <summary>
    /// Cuts a place or a remote's name from the ref behind it: <c>oci://host:5000/name:debian/bookworm</c>, <c>origin:debian/bookworm</c>. The ref is null if
    /// there is none. A colon in the host's part belongs to the host.
    /// </summary>
    public static (string Remote, string? Ref) Split(string text)
    {
        int scheme = text.IndexOf(SchemeEnd, StringComparison.Ordinal);
        int path = scheme < 0 ? 0 : text.IndexOf('/', scheme + SchemeEnd.Length);
        int colon = path < 0 ? -1 : text.IndexOf(':', path);
        return colon < 0 ? (text, null) : (text[..colon], text[(colon + 1)..]);
    }

    /// <summary>Takes a URL or a path apart. Throws <see cref="StoreException"/> if it is no place of a remote.</summary>
    public static RemotePlace Parse(string text)
    {
        int end = text.IndexOf(SchemeEnd, StringComparison.Ordinal);
        if (end < 0)
        {
            return new RemotePlace(RemoteKind.Directory, "", System.IO.Path.GetFullPath(text), IsPlain: false);
        }

        string scheme = text[..end], rest = text[(end + SchemeEnd.Length)..];
        int slash = rest.IndexOf('/');
        (string host, string path) = slash < 0 ? (rest, "") : (rest[..slash], rest[(slash + 1)..].TrimEnd('/'));
        return scheme switch
        {
            "file" when host is "" or "localhost" && path.Length > 0 => new RemotePlace(RemoteKind.Directory, "", "/" + path, IsPlain: false),
            "oci" when IsHost(host) && Repository().IsMatch(path) => new RemotePlace(RemoteKind.Registry, host, path, IsPlain: false),
            "oci" => throw new StoreException(
                $"{text} is no repository of a registry; write oci://HOST/NAME, with a name of lower-case letters, digits, '.', '_', '-' and '/'"),
            "http" or "https" when IsHost(host) => new RemotePlace(RemoteKind.Web, host, path, IsPlain: scheme == "http"),
            "ssh" when path.Length > 0 && IsHost(host[(host.LastIndexOf('@') + 1)..]) => new RemotePlace(RemoteKind.Ssh, host, path, IsPlain: false),
            _ => throw new StoreException(
                $"{text} is no place of a remote; write oci://HOST/NAME, https://HOST/PATH, ssh://HOST/STORE or file:///PATH"),
        };
    }

    /// <summary>
    /// Opens the registry or the image layout at this place. Nothing is asked of a server yet. Throws <see cref="StoreException"/> for a place of another kind.
    /// </summary>
    public Remote Open(WebOptions options, CancellationToken stop) => Kind switch
    {
        RemoteKind.Registry => new Registry(this, options, stop),
        RemoteKind.Web => new LayoutWeb(this, options, stop),
        RemoteKind.Directory => new LayoutFolder(this) { Stop = stop },
        _ => throw new StoreException($"{this}: a store that ssh leads to can only be pulled from and pushed to"),
    };

    /// <summary>Opens this place to pull from it to a store. Throws <see cref="StoreException"/> if it is a store that cannot be opened.</summary>
    public PullSource OpenSource(ObjectStore into, WebOptions options, CancellationToken stop) =>
        Kind == RemoteKind.Ssh ? new LinkSource(SshProcess.Start(this, options, stop))
        : FindStore() is { } path ? StoreSource.Open(into, path)
        : new RemoteSource(Open(options, stop));

    /// <summary>Opens this place to push to it from a store. Throws as <see cref="OpenSource"/> does.</summary>
    public PushTarget OpenTarget(ObjectStore from, WebOptions options, CancellationToken stop) =>
        Kind == RemoteKind.Ssh ? new LinkTarget(SshProcess.Start(this, options, stop))
        : FindStore() is { } path ? StoreTarget.Open(from, path)
        : new RemoteTarget(Open(options, stop));

    /// <summary>The store in this directory, or in "objects" in it; null if there is none.</summary>
    private string? FindStore() => Kind != RemoteKind.Directory ? null
        : Array.Find([Path, System.IO.Path.Combine(Path, "objects")], ObjectStore.IsCertainlyStore);

    // A password in the URL would be seen in the list of processes and in the store.
    private static bool IsHost(string host) =>
        host.Length > 0
        && !host.Contains('@', StringComparison.Ordinal)
        && Uri.TryCreate($"http://{host}/", UriKind.Absolute, out Uri? uri)
        && uri.PathAndQuery == "/";

    // The rule of the distribution specification: components of lower-case words, joined by separators.
    [GeneratedRegex(@"^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*\z", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Repository();
}
