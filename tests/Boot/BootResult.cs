using System.Text.RegularExpressions;

namespace HackTree.Tests.Boot;

/// <summary>The messages of a machine while it was up.</summary>
/// <param name="logPath">The log of its console, which stays for people to read.</param>
/// <param name="checks">The text that the check script wrote.</param>
internal sealed partial class BootResult(string logPath, string checks)
{
    /// <summary>The console, without colours.</summary>
    public string Log { get; } = Escape().Replace(File.Exists(logPath) ? File.ReadAllText(logPath) : "", "");

    /// <summary>The console without the kernel's lines. Any of them may stand in the middle of another program's line.</summary>
    public string LogOfPrograms => KernelLine().Replace(Log, "");

    /// <summary>
    /// A fact that the check script reported. Fails, with the first wrong line of the console, if the script did not come that far.
    /// </summary>
    public string this[string name]
    {
        get
        {
            string start = $"CHECK {name}=";
            string? line = checks.Split('\n').FirstOrDefault(line => line.StartsWith(start, StringComparison.Ordinal));
            Assert.True(line is not null, $"the guest did not tell '{name}'; {WhatWentWrong}\nits checks: {checks}");
            return line[start.Length..].TrimEnd('\r');
        }
    }

    /// <summary>The first line of the console that looks wrong, and the path of the log.</summary>
    public string WhatWentWrong =>
        $"first wrong line: {Log.Split('\n').FirstOrDefault(line => Wrong().IsMatch(line))?.Trim() ?? "none"}; last line: {Log.TrimEnd().Split('\n')[^1].Trim()}; console in {logPath}";

    /// <summary>Fails unless the system came up completely and without failed units.</summary>
    public void RequireRunning()
    {
        Assert.True(this["state"] == "running", $"the system is {this["state"]}, failed: {this["failed"]}; {WhatWentWrong}");
        Assert.Equal("", this["failed"]);
    }

    [GeneratedRegex(@"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]")]
    private static partial Regex Escape();

    [GeneratedRegex(@"\[ *[0-9]+\.[0-9]{6}\] [^\n]*\n")]
    private static partial Regex KernelLine();

    [GeneratedRegex(@"FAILED|[Pp]anic|hacktree: .*(cannot|refused|no )|emergency|Oops|not found|No such file|ALERT|Failed to|Gave up")]
    private static partial Regex Wrong();
}
