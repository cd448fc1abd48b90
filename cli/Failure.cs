using System.Text;
using HackTree.Linux;
using HackTree.Store;

namespace HackTree.Cli;

/// <summary>Turns an exception into one line on standard error and an exit code.</summary>
internal static class Failure
{
    internal static int Report(Exception exception)
    {
        while (exception is AggregateException { InnerExceptions: [{ } inner, ..] })
        {
            exception = inner;
        }

        if (exception is LinuxException { Errno: Errno.EPIPE, Subject: StandardOutput.Subject })
        {
            return ExitCode.BrokenPipe;
        }

        Say(Sentence(exception));
        if (Environment.GetEnvironmentVariable("HACKTREE_DEBUG") == "1")
        {
            ErrorTerminal.WriteLine(exception.ToString());
        }

        return exception is UsageException ? ExitCode.Usage : ExitCode.Failed;
    }

    /// <summary>Writes one line to standard error, whatever the text contains.</summary>
    internal static void Say(string sentence) => ErrorTerminal.WriteLine($"hacktree: {OneLine(sentence)}");

    /// <summary>An exception as one sentence.</summary>
    internal static string Sentence(Exception exception) => exception switch
    {
        LinuxException { Errno: Errno.ENOSPC or Errno.EDQUOT, Subject: not StandardOutput.Subject } =>
            $"{exception.Message}; free some and {(Session.HasStore ? "run `hacktree gc`" : "try again")}",
        LinuxException { Errno: Errno.EPERM, Call: "unlinkat" } =>
            $"{exception.Message}; the file or its directory is immutable or append-only (`lsattr -d` tells), and `chattr -ia` ends that",
        LinuxException { Errno: Errno.EMFILE or Errno.ENFILE } => $"{exception.Message}; raise the limit (ulimit -n) and try again",
        FileNotFoundException { FileName: null } => "the current directory was removed or replaced; change to a directory that is there",
        OutOfMemoryException => "out of memory; close other programs, or give this one more",
        StoreException known => RemedyText.Sentence(known),
        UsageException or IOException or UnauthorizedAccessException => exception.Message,
        _ => $"internal error: {exception.GetType().Name}: {exception.Message}; please report it",
    };

    /// <summary>Makes text harmless. It may have a user's path in it, which must not look like a second line or move the cursor.</summary>
    private static string OneLine(string text)
    {
        if (!text.Any(c => char.IsControl(c) || char.IsSurrogate(c)))
        {
            return text;
        }

        var line = new StringBuilder();
        foreach (Rune rune in text.EnumerateRunes())
        {
            line.Append(Rune.IsControl(rune) ? "\\" + Convert.ToString(rune.Value, 8).PadLeft(3, '0') : rune.ToString());
        }

        return line.ToString();
    }
}

/// <summary>The command line asks for something that makes no sense: exit code 2.</summary>
internal sealed class UsageException(string message) : Exception(message);
