using System.Text;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Cli;

/// <summary>
/// Standard error, which has notes and a progress line. The progress line stays on the terminal's last line until something else is written.
/// No mode of the terminal is changed, because the program may be killed at any time.
/// </summary>
internal static class ErrorTerminal
{
    private const string EraseLine = "\r\u001b[K";

    // .NET's console is not used, because it first takes over the terminal and its signals, with a thread for them.
    private static readonly SafeFileHandle File = new(2, ownsHandle: false);
    private static readonly Lock Gate = new();
    private static bool hasProgress;

    /// <summary>Whether standard error is a terminal on which a line can be rewritten.</summary>
    internal static bool IsTerminal { get; } = Sys.IsTerminal(2) && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");

    internal static void WriteLine(string line)
    {
        lock (Gate)
        {
            Erase();
            Write(line + "\n");
        }
    }

    /// <summary>Replaces the progress line. An empty text erases it.</summary>
    internal static void ShowProgress(string text)
    {
        lock (Gate)
        {
            Erase();
            Write(text);
            hasProgress = text.Length > 0;
        }
    }

    private static void Erase()
    {
        if (hasProgress)
        {
            Write(EraseLine);
            hasProgress = false;
        }
    }

    /// <summary>Writes, and ignores errors: if nobody reads standard error, there is nobody to tell.</summary>
    private static void Write(string text) => _ = Sys.Write(File, Encoding.UTF8.GetBytes(text));
}
