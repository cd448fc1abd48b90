namespace HackTree.Cli;

/// <summary>The escape sequences of text on standard output. They are empty where nobody wants them: in a pipe, on a dumb terminal, with NO_COLOR.</summary>
internal static class Colors
{
    private static readonly bool IsOn = StandardOutput.IsTerminal
        && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
        && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");

    /// <summary>What begins underlined text, and what ends it.</summary>
    internal static (string Start, string End) Underlined => Of("4");

    /// <summary>What begins green text, and what ends it.</summary>
    internal static (string Start, string End) Green => Of("32");

    /// <summary>What begins red text, and what ends it.</summary>
    internal static (string Start, string End) Red => Of("31");

    /// <summary>What begins yellow text, and what ends it.</summary>
    internal static (string Start, string End) Yellow => Of("33");

    private static (string Start, string End) Of(string code) => IsOn ? ($"\u001b[{code}m", "\u001b[0m") : ("", "");
}
