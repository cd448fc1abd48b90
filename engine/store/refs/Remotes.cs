using System.Text;
using System.Text.Json;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Store;

/// <summary>A place of commits that has a name.</summary>
/// <param name="Url">Where it is.</param>
/// <param name="RequiresSignature">Whether only signed commits are taken from there.</param>
public sealed record NamedRemote(string Url, bool RequiresSignature)
{
    /// <summary>The absolute path of a file with the certificates that sign the server's; null for those that the system trusts.</summary>
    public string? Authorities { get; init; }

    /// <summary>The absolute path of a file with the client's certificate; null if it has none.</summary>
    public string? Certificate { get; init; }

    /// <summary>The absolute path of the file with the key of <see cref="Certificate"/>; null if it is in the same file.</summary>
    public string? Key { get; init; }
}

/// <summary>
/// The names that a store has for other places of commits: one file for each, <c>remotes/NAME.json</c> (FORMAT.md, section 8). The directory is
/// made with the first. What a place means is not known here.
/// </summary>
public sealed class Remotes
{
    internal const string Room = "remotes";

    private const string Extension = ".json";
    private const string UrlKey = "url";
    private const string RequireKey = "requireSignature";
    private const string AuthoritiesKey = "ca";
    private const string CertificateKey = "cert";
    private const string KeyKey = "key";

    private readonly ObjectStore store;
    private readonly LateRoom room;

    internal Remotes(ObjectStore store, SafeFileHandle top)
    {
        this.store = store;
        room = new LateRoom(store, top, Room);
    }

    /// <summary>The names, sorted.</summary>
    public List<string> List()
    {
        List<string> names = room.List<string>(TryReadName, strangers: null);
        names.Sort(StringComparer.Ordinal);
        return names;
    }

    /// <summary>The place of a remote; null if there is none of that name. Throws <see cref="CorruptException"/> if its file is damaged.</summary>
    public NamedRemote? Find(string name) =>
        !IsName(name) || room.TryRead(FileName(name)) is not { } bytes ? null
            : CheckedJson.Decode(bytes, Read)
            ?? throw new CorruptException(Subject(name), "damaged", new Remedy.MoveAway(Subject(name)));

    /// <summary>Names a place. Throws <see cref="StoreException"/> if no remote can have the name, if another one has it, or if
    /// a path is not UTF-8.</summary>
    public void Add(string name, NamedRemote remote)
    {
        store.RequireWritable();
        if (!IsName(name))
        {
            throw new StoreException($"'{name}' cannot name a remote; use letters, digits, '.', '_' and '-'");
        }

        if (Find(name) is { } other)
        {
            throw new StoreException($"there is a remote '{name}' already: {other.Url}");
        }

        foreach (string? text in new[] { remote.Url, remote.Authorities, remote.Certificate, remote.Key })
        {
            PathStatus.RequireText(text ?? "", "because the record of a remote holds it");
        }

        room.Write(FileName(name), Encode(remote));
    }

    /// <summary>Forgets a remote. Throws <see cref="StoreException"/> if there is none of that name.</summary>
    public void Remove(string name)
    {
        store.RequireWritable();
        Errno errno = IsName(name) ? room.Remove(ByteText.FromArgument(FileName(name))) : Errno.ENOENT;
        if (errno == Errno.ENOENT)
        {
            throw new StoreException($"there is no remote '{name}'");
        }

        errno.ThrowIfFailed("unlinkat", Subject(name));
        room.Sync();
    }

    private static NamedRemote Read(JsonElement properties) => new(properties.GetText(UrlKey), properties.Find(RequireKey)?.GetBoolean() ?? false)
    {
        Authorities = properties.Find(AuthoritiesKey)?.GetString(),
        Certificate = properties.Find(CertificateKey)?.GetString(),
        Key = properties.Find(KeyKey)?.GetString(),
    };

    private static byte[] Encode(NamedRemote remote) => CheckedJson.Encode(json =>
    {
        json.WriteString(UrlKey, remote.Url);
        if (remote.RequiresSignature)
        {
            json.WriteBoolean(RequireKey, true);
        }

        foreach ((string key, string? path) in new[] { (AuthoritiesKey, remote.Authorities), (CertificateKey, remote.Certificate), (KeyKey, remote.Key) })
        {
            if (path is not null)
            {
                json.WriteString(key, path);
            }
        }
    });

    private static bool IsName(string name) => RefName.IsValid(name) && name.AsSpan().IndexOfAny('/', '@') < 0;

    private static bool TryReadName(ReadOnlySpan<byte> file, out string name)
    {
        string text = Encoding.Latin1.GetString(file);
        name = text.EndsWith(Extension, StringComparison.Ordinal) ? text[..^Extension.Length] : "";
        return IsName(name);
    }

    private static string FileName(string name) => name + Extension;

    private string Subject(string name) => room.Subject(FileName(name));
}
