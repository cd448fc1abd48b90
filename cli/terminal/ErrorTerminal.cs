using System.Text;
using HackTree.Linux;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Cli;

/// <summary>
/// Standard error, shared by the notes and by a progress line that stays on the terminal's last line until something else
/// is written. Nothing is ever left switched on there: the program may be killed at any time.
/// </summary>
internal static class ErrorTerminal
{
    private const string EraseLine = "\r\u001b[K";

    // Written to without .NET's console, which takes charge of the terminal and its signals first, with a thread for them.
    private static readonly SafeFileHandle File = new(2, ownsHandle: false);
    private static readonly Lock Gate = new();
    private static bool hasProgress;

    /// <summary>Whether a line can be rewritten there.</summary>
    internal static bool IsTerminal { get; } = Sys.IsTerminal(2) && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");

    internal static void WriteLine(string line)
    {
        lock (Gate)
        {
            Erase();
            Write(line + "\n");
        }
    }

    /// <summary>Puts a text in the place of the last progress; the empty one takes it away.</summary>
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

    /// <summary>Whoever reads it may be gone: there is nobody to tell.</summary>
    private static void Write(string text) => _ = Sys.Write(File, Encoding.UTF8.GetBytes(text));
}
