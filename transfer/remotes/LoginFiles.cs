using System.Text;
using System.Text.Json;

namespace HackTree.Transfer;

/// <summary>
/// The logins that other programs know: those of podman and skopeo (containers-auth.json(5)), of docker (config.json), and netrc(5). A file that is missing or
/// cannot be read knows none.
/// </summary>
internal static class LoginFiles
{
    private const int MaxLength = 1024 * 1024;

    /// <summary>User and password for a host, as Basic sends them (base64 of USER:PASSWORD); null if none is known.</summary>
    internal static string? Find(string host) =>
        Places().Select(path => Read(path) is { } bytes ? InJson(bytes, host) : null).FirstOrDefault(found => found is not null)
        ?? (Read(Variable("NETRC") ?? Home(".netrc")) is { } netrc ? InNetrc(Encoding.UTF8.GetString(netrc), host.Split(':')[0]) : null);

    private static IEnumerable<string> Places()
    {
        string?[] places =
        [
            Variable("REGISTRY_AUTH_FILE"),
            Variable("XDG_RUNTIME_DIR") is { } run ? $"{run}/containers/auth.json" : null,
            Home(".config/containers/auth.json"),
            Variable("DOCKER_CONFIG") is { } docker ? $"{docker}/config.json" : Home(".docker/config.json"),
        ];
        return places.OfType<string>();
    }

    /// <summary>The login in a file of podman's or docker's; null if there is none for the host.</summary>
    internal static string? InJson(byte[] bytes, string host)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes);
            if (document.RootElement.TryGetProperty("auths", out JsonElement logins))
            {
                foreach (string key in (string[])[host, $"https://{host}", $"https://{host}/v1/", $"https://{host}/v2/"])
                {
                    if (logins.TryGetProperty(key, out JsonElement login)
                        && login.TryGetProperty("auth", out JsonElement auth)
                        && auth.GetString() is { Length: > 0 } text)
                    {
                        return text;
                    }
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // A file that is none of theirs knows no login.
        }

        return null;
    }

    /// <summary>The login in a netrc file; null if there is none for the host.</summary>
    internal static string? InNetrc(string text, string host)
    {
        string[] words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        (bool isMeant, string? user, string? password) = (false, null, null);
        for (int i = 0; i < words.Length; i++)
        {
            string? value = i + 1 < words.Length ? words[i + 1] : null;
            if (words[i] is "machine" or "default")
            {
                if (isMeant && user is not null)
                {
                    break;
                }

                isMeant = words[i] == "default" || value == host;
                i += words[i] == "machine" ? 1 : 0;
            }
            else if (isMeant && words[i] is "login" or "password" or "account")
            {
                user = words[i] == "login" ? value : user;
                password = words[i] == "password" ? value : password;
                i++;
            }
        }

        return user is not null && password is not null && isMeant ? Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}")) : null;
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    private static string Home(string name) => Path.Combine(Variable("HOME") ?? "/root", name);

    private static byte[]? Read(string path)
    {
        try
        {
            var file = new FileInfo(path);
            return file.Exists && file.Length <= MaxLength ? File.ReadAllBytes(path) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
