using HackTree.Linux;

namespace HackTree.Cli;

/// <summary>The program: prepares the process, parses, runs one command, and turns every failure into one line and an exit code.</summary>
internal static class Program
{
    internal static int Main(string[] args)
    {
        // This comes before any file is opened. With standard output closed, a pack would become descriptor 1, and printed text would go
        // into it.
        Sys.OccupyStandardDescriptors();
        Sys.RaiseOpenFileLimit();

        // OpenSSL reads the machine's configuration before its first hash. A configuration that demands a provider (FIPS) which is not
        // linked into this program would make SHA-256 fail. And a root under repair may have a broken configuration.
        Sys.SetEnvironment("OPENSSL_CONF", "/dev/null");
        try
        {
            args = RawArguments.Restore(args);
            if (args.Length > 0 && args[0] == CompletionCommand.AnswerVerb)
            {
                return CompletionCommand.Answer(args.AsSpan(1));
            }

            int code = CommandTree.Run(args);
            StandardOutput.Instance.Flush();
            return code;
        }
        catch (Exception e)
        {
            return Failure.Report(e);
        }
    }
}
