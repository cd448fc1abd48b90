using System.Net;

namespace HackTree.Transfer;

/// <summary>The way to a server: through the proxy that <c>https_proxy</c> and its like name, or straight. For messages.</summary>
internal static class Route
{
    /// <summary>", through the proxy HOST:PORT"; nothing where there is none.</summary>
    internal static string Words(Uri server) => ProxyOf(server) is { } proxy ? $", through the proxy {proxy.Authority}" : "";

    /// <summary>Says that the proxy wants a login.</summary>
    internal static string LoginWords(Uri server) =>
        $"the proxy {ProxyOf(server)?.Authority} wants a login; put it into the proxy's variable: http://USER:PASSWORD@HOST:PORT";

    /// <summary>Says that the proxy refuses the connection; null if the failure is another.</summary>
    internal static string? Refusal(Uri server, Exception e) =>
        e is not HttpRequestException { HttpRequestError: HttpRequestError.ProxyTunnelError } refused || ProxyOf(server) is not { } proxy ? null
        : refused.StatusCode == HttpStatusCode.ProxyAuthenticationRequired ? LoginWords(server)
        : $"the proxy {proxy.Authority} makes no connection to {server.Authority}: it answers {(int?)refused.StatusCode}";

    private static Uri? ProxyOf(Uri server) =>
        HttpClient.DefaultProxy.IsBypassed(server) || HttpClient.DefaultProxy.GetProxy(server) is not { } proxy || proxy == server ? null : proxy;
}
