using System.Diagnostics;
using HackTree.Tests.Support;

namespace HackTree.Tests.Crash;

/// <summary>A command of the stress run, and what became of it.</summary>
/// <param name="Kind">What it is one of: "commit", "gc".</param>
/// <param name="Arguments">Its arguments.</param>
internal sealed record StressCommand(string Kind, string[] Arguments)
{
    /// <summary>Whether it was sent a signal; then it may end in any way.</summary>
    public bool IsSignalled { get; set; }

    public int ExitCode { get; set; }

    public string Output { get; set; } = "";

    public string Error { get; set; } = "";

    public TimeSpan Time { get; set; }

    public bool IsDone => ExitCode == 0 && !IsSignalled;

    public override string ToString() => $"{string.Join(' ', Arguments)}: exit code {ExitCode}{(IsSignalled ? ", signalled" : "")}: {Error}{Output}";
}

/// <summary>Runs commands, and ends some of them by kill -9 or SIGTERM at random moments. Thread-safe.</summary>
/// <param name="bound">How long any command may take. One that takes longer is a deadlock.</param>
internal sealed class Disturbances(TimeSpan bound)
{
    private readonly Lock gate = new();
    private readonly Dictionary<Process, StressCommand> running = [];
    private readonly List<StressCommand> ended = [];

    /// <summary>All commands that ended, in the order of their ends.</summary>
    public StressCommand[] Ended
    {
        get
        {
            lock (gate)
            {
                return [.. ended];
            }
        }
    }

    /// <summary>The commands that did not end within the bound, with the locks that were held then.</summary>
    public List<string> Stuck { get; } = [];

    public StressCommand Run(StressCommand command)
    {
        var start = new ProcessStartInfo(Hacktree.Path, command.Arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        long began = Stopwatch.GetTimestamp();
        using Process process = Process.Start(start)!;
        lock (gate)
        {
            running.Add(process, command);
        }

        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        bool hasEnded = process.WaitForExit(bound);
        if (!hasEnded)
        {
            string locks = File.ReadAllText("/proc/locks");
            lock (gate)
            {
                Stuck.Add($"{command.Kind}: {string.Join(' ', command.Arguments)} did not end within {bound}\n{locks}");
            }

            process.Kill();
            process.WaitForExit();
        }

        command.Time = Stopwatch.GetElapsedTime(began);
        lock (gate)
        {
            _ = running.Remove(process);
            (command.ExitCode, command.Output, command.Error) = (process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
            ended.Add(command);
        }

        return command;
    }

    /// <summary>Ends one of the running commands, by kill -9 or SIGTERM.</summary>
    public void EndOne(Random random)
    {
        lock (gate)
        {
            if (running.Count == 0)
            {
                return;
            }

            (Process process, StressCommand command) = running.ElementAt(random.Next(running.Count));
            command.IsSignalled = true;
            if (random.Next(2) == 0)
            {
                process.Kill();
            }
            else
            {
                _ = Tools.Run("sh", "-c", $"kill -TERM {process.Id} || true");
            }
        }
    }
}
