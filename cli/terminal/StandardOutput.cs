using System.Text;
using HackTree.Linux;
using HackTree.Model;
using Microsoft.Win32.SafeHandles;

namespace HackTree.Cli;

/// <summary>Standard output, with methods that print text.</summary>
internal sealed class StandardOutput : OutputStream
{
    /// <summary>The name of standard output in errors.</summary>
    internal const string Subject = "standard output";

    private StandardOutput()
        : base(new SafeFileHandle(1, ownsHandle: false), Subject)
    {
    }

    internal static StandardOutput Instance { get; } = new();

    internal static bool IsTerminal { get; } = Sys.IsTerminal(1);

    /// <summary>Writes text.</summary>
    internal void Write(string text) => Write(Encoding.UTF8.GetBytes(text));

    /// <summary>Writes a line of text.</summary>
    internal void WriteLine(string line)
    {
        Write(line);
        Write("\n"u8);
    }

    /// <summary>Writes a text, and then bytes in the form of <see cref="ByteText.Quote"/>.</summary>
    internal void WriteLine(string before, ReadOnlySpan<byte> name)
    {
        Write(before);
        WriteLine(ByteText.Quote(name));
    }
}
