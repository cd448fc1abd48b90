using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace HackTree.Transfer;

/// <summary>
/// Logs in at one server. A server that answers 401 says in WWW-Authenticate how: Basic (RFC 7617), or Bearer with the place where a token is to be
/// fetched (the Docker Registry v2 authentication specification, which every registry follows). Thread-safe.
/// </summary>
internal sealed partial class Login(string host, Func<HttpRequestMessage, HttpResponseMessage> ask)
{
    private const int LongestAnswer = 1024 * 1024;

    private static readonly string[] PassedOn = ["service", "scope"];

    private readonly Lock gate = new();
    private volatile AuthenticationHeaderValue? current;
    private string? asked;

    /// <summary>What each request says of who sends it; null if nothing was asked yet.</summary>
    internal AuthenticationHeaderValue? Current => current;

    /// <summary>Does what an answer of 401 demands. False if nothing can be done.</summary>
    internal bool TryAnswer(HttpResponseMessage answer)
    {
        lock (gate)
        {
            string? known = LoginFiles.Find(host);
            foreach (AuthenticationHeaderValue way in answer.Headers.WwwAuthenticate)
            {
                asked = way.Scheme;
                if (way.Scheme.Equals("Basic", StringComparison.OrdinalIgnoreCase) && known is not null)
                {
                    current = new AuthenticationHeaderValue("Basic", known);
                    return true;
                }

                if (way.Scheme.Equals("Bearer", StringComparison.OrdinalIgnoreCase) && FetchToken(way.Parameter ?? "", known) is { } token)
                {
                    current = new AuthenticationHeaderValue("Bearer", token);
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>What the user can do about an answer; empty if it has nothing to do with a login.</summary>
    internal string Hint(HttpResponseMessage answer) => answer.StatusCode switch
    {
        System.Net.HttpStatusCode.Unauthorized when LoginFiles.Find(host) is null =>
            $"; no login for {host} is known: `podman login {host}` or `docker login {host}` makes one, or a line in ~/.netrc",
        System.Net.HttpStatusCode.Unauthorized => $"; it does not accept the login that is known for {host}{(asked is null ? "" : $" ({asked})")}",
        System.Net.HttpStatusCode.Forbidden => $"; the login for {host} may not do this",
        _ => "",
    };

    private string? FetchToken(string parameters, string? known)
    {
        // A parameter that is there twice is no parameter of RFC 9110; the first one counts.
        var values = Parameter().Matches(parameters)
            .DistinctBy(match => match.Groups[1].Value, StringComparer.OrdinalIgnoreCase)
            .ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value, StringComparer.OrdinalIgnoreCase);
        if (!values.TryGetValue("realm", out string? realm) || !Uri.TryCreate(realm, UriKind.Absolute, out Uri? place) || !IsSafe(place))
        {
            return null;
        }

        IEnumerable<string> query = PassedOn.Where(values.ContainsKey).Select(key => $"{key}={Uri.EscapeDataString(values[key])}");
        char join = realm.Contains('?', StringComparison.Ordinal) ? '&' : '?';
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{realm}{join}{string.Join('&', query)}");
        request.Headers.Authorization = known is null ? null : new AuthenticationHeaderValue("Basic", known);
        using HttpResponseMessage answer = ask(request);
        return answer.IsSuccessStatusCode && BoundedBody.TryRead(answer, LongestAnswer) is { } body ? TokenIn(body) : null;
    }

    /// <summary>Whether a password may be sent there: over TLS, or to this machine.</summary>
    private static bool IsSafe(Uri place) => place.Scheme == Uri.UriSchemeHttps || (place.Scheme == Uri.UriSchemeHttp && place.IsLoopback);

    private static string? TokenIn(byte[] body)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            JsonElement answer = document.RootElement;
            return answer.TryGetProperty("token", out JsonElement token) || answer.TryGetProperty("access_token", out token) ? token.GetString() : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    [GeneratedRegex("([a-zA-Z]+)=\"([^\"]*)\"")]
    private static partial Regex Parameter();
}
