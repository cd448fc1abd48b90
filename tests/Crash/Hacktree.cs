using System.Diagnostics;
using HackTree.Tests.Support;
using HackTree.Tests.Tidy;

namespace HackTree.Tests.Crash;

/// <summary>The program itself, as a process of its own that can be killed. $HACKTREE_PROGRAM names another one than the one that was built.</summary>
internal static class Hacktree
{
    public static string Path { get; } = Environment.GetEnvironmentVariable("HACKTREE_PROGRAM") is { Length: > 0 } given ? given : Repository.Program;

    /// <summary>Skips the test where the program was not built.</summary>
    public static void Require() => Assert.SkipUnless(File.Exists(Path), $"{Path} is not there: make build");

    public static ToolResult Run(params IEnumerable<string> arguments) => Tools.Run(Path, arguments);

    /// <summary>Starts the program and does not wait; what it says is thrown away.</summary>
    public static Process Start(params IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(Path, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        Process process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    /// <summary>Runs the program to its end from another thread, to have several at once.</summary>
    public static Task<ToolResult> RunBeside(params IEnumerable<string> arguments)
    {
        string[] given = [.. arguments];
        return Task.Factory.StartNew(() => Run(given), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Ends it by kill -9 after a while; answers whether it was still running.</summary>
    public static bool StartAndKill(TimeSpan delay, params IEnumerable<string> arguments)
    {
        using Process process = Start(arguments);
        bool ended = process.WaitForExit(delay);
        if (!ended)
        {
            process.Kill();
            process.WaitForExit();
        }

        return !ended;
    }

    /// <summary>The program refused: exit code 1, and one sentence that is not an excuse for a bug.</summary>
    public static string Refused(ToolResult result)
    {
        string told = $"exit code {result.ExitCode}: {result.Error}{result.Output}";
        Assert.True(result.ExitCode == 1, told);
        string line = Assert.Single(result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.StartsWith("hacktree: ", line, StringComparison.Ordinal);
        Assert.DoesNotContain("internal error", line, StringComparison.Ordinal);
        return line;
    }
}
