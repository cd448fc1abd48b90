using System.Diagnostics;

namespace HackTree.Tests.Support;

/// <summary>The results of an external program.</summary>
internal sealed record ToolResult(int ExitCode, string Output, string Error)
{
    /// <summary>The output if the program succeeded. Otherwise the test fails with the program's errors.</summary>
    public string Succeeded()
    {
        Assert.True(ExitCode == 0, $"exit code {ExitCode}: {Error}{Output}");
        return Output;
    }
}

/// <summary>External programs that tests compare with.</summary>
internal static class Tools
{
    // A program that hangs must fail its own test, and not use up the time of all.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    // An ordinary user's PATH may lack the directories of mkfs.* and mount.
    private static readonly string[] Folders =
        [.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries), "/usr/sbin", "/sbin"];

    /// <summary>Whether this is a run of CI. There a skipped test counts as failed: .ci/summary.</summary>
    public static bool IsCi => Environment.GetEnvironmentVariable("CI") is { Length: > 0 };

    /// <summary>The full path of a program; null if it is not installed.</summary>
    public static string? Find(string program) =>
        Folders.Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    /// <summary>Skips the test, saying why, if a program is not installed.</summary>
    public static void Require(params ReadOnlySpan<string> programs)
    {
        foreach (string program in programs)
        {
            Assert.SkipWhen(Find(program) is null, $"the program '{program}' is not installed");
        }
    }

    public static ToolResult Run(string program, params IEnumerable<string> arguments) =>
        Run(program, arguments, environment: null);

    /// <summary>
    /// Unmounts a filesystem. It may be busy for a moment after this process has closed its files: a child that another test starts has them
    /// too, until it becomes another program.
    /// </summary>
    public static void Unmount(string path)
    {
        ToolResult result = Run("umount", path);
        for (int tries = 0; tries < 100 && result.Error.Contains("busy", StringComparison.Ordinal); tries++)
        {
            Thread.Sleep(100);
            result = Run("umount", path);
        }

        result.Succeeded();
    }

    /// <summary>Runs a program to its end, with more environment variables.</summary>
    public static ToolResult Run(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment)
    {
        var start = new ProcessStartInfo(Find(program) ?? program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["LC_ALL"] = "C";
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        using Process process = Process.Start(start)!;
        using var patience = new CancellationTokenSource(Patience);
        using CancellationTokenRegistration kill = patience.Token.Register(() => process.Kill(entireProcessTree: true));
        process.StandardInput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.False(patience.IsCancellationRequested, $"{program} did not end within {Patience}: {error.GetAwaiter().GetResult()}{output}");
        return new ToolResult(process.ExitCode, output, error.GetAwaiter().GetResult());
    }
}
