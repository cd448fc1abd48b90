using System.CommandLine;
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
        foreach (Option option in new Option[] { plainHttp, headers, authorities, certificate, key })
        {
            command.Add(option);
        }

        headers.Validators.Add(result =>
        {
            if (result.Tokens.FirstOrDefault(header => header.Value.IndexOf(':', StringComparison.Ordinal) < 1) is { } wrong)
            {
                result.AddError($"{Headers} takes 'NAME: VALUE', not '{wrong.Value}'");
            }
        });
    }

    /// <summary>What they say.</summary>
    internal WebOptions Get(Session session, long bytesPerSecond = 0) => new()
    {
        PlainHttp = session.Get(plainHttp),
        Headers = session.Get(headers)!,
        Authorities = session.Get(authorities),
        Certificate = session.Get(certificate),
        Key = session.Get(key),
        BytesPerSecond = bytesPerSecond,
    };
}
