using HackTree.Linux;

namespace HackTree.Cli;

/// <summary>
/// Standard error, shared by the notes and by a progress line that stays on the terminal's last line until something else
/// is written. Nothing is ever left switched on there: the program may be killed at any time.
/// </summary>
internal static class ErrorTerminal
{
    private const string EraseLine = "\r\u001b[K";

    private static readonly Lock Gate = new();
    private static bool hasProgress;

    /// <summary>Whether a line can be rewritten there.</summary>
    internal static bool IsTerminal { get; } = Sys.IsTerminal(2) && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");

    internal static void WriteLine(string line)
    {
        lock (Gate)
        {
            Erase();
            Console.Error.WriteLine(line);
        }
    }

    /// <summary>Puts a text in the place of the last progress; the empty one takes it away.</summary>
    internal static void ShowProgress(string text)
    {
        lock (Gate)
        {
            Erase();
            Console.Error.Write(text);
            hasProgress = text.Length > 0;
        }
    }

    private static void Erase()
    {
        if (hasProgress)
        {
            Console.Error.Write(EraseLine);
            hasProgress = false;
        }
    }
}
