using System.Diagnostics;

namespace HackTree.Bench.Compare;

/// <summary>Runs commands that are not measured: mkfs, mount, versions.</summary>
internal static class Shell
{
    /// <summary>Runs a command and returns its output. Throws with its last lines of errors if it fails.</summary>
    internal static string Run(params IReadOnlyList<string> command)
    {
        (int code, string output, string error) = Try(command);
        return code == 0 ? output : throw new BenchException($"{string.Join(' ', command)}: exit code {code}: {LastLines(error)}");
    }

    /// <summary>Runs a command. Returns exit code, standard output and standard error.</summary>
    internal static (int Code, string Output, string Error) Try(params IReadOnlyList<string> command)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output, error.Result);
    }

    /// <summary>Whether there is a program of this name or path.</summary>
    internal static bool Exists(string program) => program.Contains('/')
        ? File.Exists(program)
        : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));

    internal static string LastLines(string text) => string.Join(" / ", text.Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeLast(3));
}
