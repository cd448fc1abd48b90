using System.CommandLine;
using HackTree.Store;
using HackTree.Transfer;

namespace HackTree.Cli;

/// <summary>The options of commands that speak to servers.</summary>
internal sealed class ServerOptions
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

    /// <summary>Adds them to a command.</summary>
    internal void AddTo(Command command)
    {
        command.Add(plainHttp);
        command.Add(headers);
        AddCertificatesTo(command);

        headers.Validators.Add(result =>
        {
            if (result.Tokens.FirstOrDefault(header => header.Value.IndexOf(':', StringComparison.Ordinal) < 1) is { } wrong)
            {
                result.AddError($"{Headers} takes 'NAME: VALUE', not '{wrong.Value}'");
            }
        });
    }

    /// <summary>Adds those that name files of certificates.</summary>
    internal void AddCertificatesTo(Command command)
    {
        command.Add(authorities);
        command.Add(certificate);
        command.Add(key);
        command.Validators.Add(result =>
        {
            if (result.GetValue(key) is not null && result.GetValue(certificate) is null)
            {
                result.AddError("--key has the key of --cert: give both");
            }
        });
    }

    /// <summary>What they say. What they leave open, the store may know of the remote.</summary>
    internal WebOptions Get(Session session, NamedRemote? remote = null, long bytesPerSecond = 0)
    {
        WebOptions known = WebOptions.Of(remote);
        string? given = session.Get(certificate);
        return known with
        {
            PlainHttp = session.Get(plainHttp),
            Headers = session.Get(headers)!,
            Authorities = session.Get(authorities) ?? known.Authorities,
            Certificate = given ?? known.Certificate,
            Key = given is null ? known.Key : session.Get(key),
            BytesPerSecond = bytesPerSecond,
        };
    }

    /// <summary>A remote with the files of certificates that they name. Throws <see cref="StoreException"/> if one cannot be used.</summary>
    internal NamedRemote WithCertificates(Session session, NamedRemote remote)
    {
        NamedRemote named = remote with
        {
            Authorities = FullPath(session.Get(authorities)),
            Certificate = FullPath(session.Get(certificate)),
            Key = FullPath(session.Get(key)),
        };
        WebOptions.Of(named).RequireCertificates();
        return named;
    }

    private static string? FullPath(string? path) => path is null ? null : Path.GetFullPath(path);
}
