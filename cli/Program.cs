using System.CommandLine;
using HackTree.Linux;

namespace HackTree.Cli;

/// <summary>The program: prepares the process, parses, runs one command, and turns every failure into one line and an exit code.</summary>
internal static class Program
{
    internal static int Main(string[] args)
    {
        Sys.RaiseOpenFileLimit();

        // OpenSSL reads the machine's configuration before its first hash. One that demands a provider (FIPS) which is
        // not linked into this program would make SHA-256 fail, and a root under repair may have a broken one.
        Sys.SetEnvironment("OPENSSL_CONF", "/dev/null");
        try
        {
            args = RawArguments.Restore(args);
            if (args.Length > 0 && args[0] == CompletionCommand.AnswerVerb)
            {
                return CompletionCommand.Answer(args.AsSpan(1));
            }

            ParseResult parse = CommandTree.Parse(args);
            int code = parse.Errors.Count > 0 ? CommandTree.ReportUsage(parse) : CommandTree.Invoke(parse);
            StandardOutput.Instance.Flush();
            return code;
        }
        catch (Exception e)
        {
            return Failure.Report(e);
        }
    }
}
