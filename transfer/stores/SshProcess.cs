using System.Diagnostics;
using HackTree.Checkout;
using HackTree.Store;

namespace HackTree.Transfer;

/// <summary>
/// A HackTree that serves a store on another machine, started there by ssh(1), and the link to it. What ssh asks for it asks on the terminal.
/// </summary>
internal sealed class SshProcess : IDisposable
{
    /// <summary>The variable that has another program than ssh, with arguments: its words are separated by spaces.</summary>
    private const string Variable = "HACKTREE_SSH";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Process process;
    private readonly Task<string> words;
    private readonly CancellationTokenRegistration killing;

    private SshProcess(Process process, string subject, RateLimit? limit, CancellationToken stop)
    {
        this.process = process;
        words = process.StandardError.ReadToEndAsync(CancellationToken.None);
        killing = stop.Register(() => process.Kill(entireProcessTree: true));
        Link = new StoreLink(process.StandardOutput.BaseStream, process.StandardInput.BaseStream, subject)
        {
            Limit = limit,
            Stop = stop,
            LastWords = LastWords,
        };
    }

    /// <summary>The link to the store.</summary>
    internal StoreLink Link { get; }

    /// <summary>
    /// Starts it, and greets the other end. Throws <see cref="StoreException"/> if ssh cannot be run, or if there is no HackTree or no store.
    /// </summary>
    internal static SshProcess Start(RemotePlace place, WebOptions options, CancellationToken stop)
    {
        string[] given = (Environment.GetEnvironmentVariable(Variable) ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string[] program = given.Length > 0 ? given : ["ssh"];
        string path = program[0].Contains('/', StringComparison.Ordinal) && File.Exists(program[0]) ? program[0] : ProgramRun.Find(program[0])
            ?? throw new StoreException($"there is no program {program[0]}; {(given.Length > 0 ? $"{Variable} names it" : "install openssh-client")}");
        (string host, string? port) = CutPort(place.Host);
        string[] arguments = [.. program[1..], "-T", .. port is null ? (string[])[] : ["-p", port], "--", host, Command("/" + place.Path)];
        var start = new ProcessStartInfo(path, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        RateLimit? limit = options.BytesPerSecond > 0 ? new RateLimit(options.BytesPerSecond) : null;
        var ssh = new SshProcess(ProgramRun.Start(start), place.ToString(), limit, stop);
        try
        {
            ssh.Link.Greet();
            return ssh;
        }
        catch
        {
            ssh.Dispose();
            throw;
        }
    }

    /// <summary>The command for the shell at the other end.</summary>
    internal static string Command(string path) => $"hacktree --store '{path.Replace("'", @"'\''", StringComparison.Ordinal)}' serve --stdio";

    public void Dispose()
    {
        // The end of its input ends it.
        Link.Dispose();
        if (!process.WaitForExit(Patience))
        {
            process.Kill();
            process.WaitForExit();
        }

        killing.Dispose();
        process.Dispose();
    }

    // The host of an ssh URL may have a user before it, and brackets if it is an IPv6 address.
    private static (string Host, string? Port) CutPort(string host)
    {
        int colon = host.LastIndexOf(':');
        bool hasPort = colon > host.LastIndexOf(']');
        string name = hasPort ? host[..colon] : host;
        return (name.Replace("[", "", StringComparison.Ordinal).Replace("]", "", StringComparison.Ordinal), hasPort ? host[(colon + 1)..] : null);
    }

    private string LastWords()
    {
        const int noProgram = 127;
        process.WaitForExit(Patience);
        string said = words.Wait(Patience) ? words.Result : "";
        int code = process.HasExited ? process.ExitCode : 0;
        return said.Length > 0 ? ProgramRun.LastLine(said).TrimEnd('.')
            : code == noProgram ? "hacktree is not in the PATH of that user there"
            : $"the connection ended (exit code {code} of ssh)";
    }
}
