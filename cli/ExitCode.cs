namespace HackTree.Cli;

/// <summary>What the program answers to its caller.</summary>
internal static class ExitCode
{
    internal const int Done = 0;
    internal const int Failed = 1;
    internal const int Usage = 2;

    /// <summary>fsck found damage; diff found differences.</summary>
    internal const int Found = 3;

    /// <summary>Whoever read the output has stopped: what a shell reports for a process that SIGPIPE ended.</summary>
    internal const int BrokenPipe = 128 + 13;
}
