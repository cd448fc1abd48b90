using System.Diagnostics;
using HackTree.Store;

namespace HackTree.Cli;

/// <summary>Runs programs and measures their time.</summary>
internal static class ProgramRun
{
    /// <summary>
    /// Runs a program to its end. Throws with the last line of its errors unless its exit code is in <paramref name="success"/>.
    /// </summary>
    internal static TimeSpan Time(IReadOnlyList<string> command, IReadOnlyList<int> success, CancellationToken stop)
    {
        stop.ThrowIfCancellationRequested();
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        long started = Stopwatch.GetTimestamp();
        using Process process = Process.Start(start)!;
        using CancellationTokenRegistration killing = stop.Register(process.Kill);
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        _ = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        TimeSpan time = Stopwatch.GetElapsedTime(started);
        stop.ThrowIfCancellationRequested();
        string lastLine = error.Result.Split('\n', StringSplitOptions.RemoveEmptyEntries).LastOrDefault("it says nothing");
        return success.Contains(process.ExitCode)
            ? time
            : throw new StoreException($"{string.Join(' ', command)}: exit code {process.ExitCode}: {lastLine}");
    }

    /// <summary>Whether PATH has a program of this name.</summary>
    internal static bool Exists(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, name)));
}
