using System.Diagnostics;
using HackTree.Linux;

namespace HackTree.Tests.Support;

/// <summary>Runs some of these tests once more in another process: as an ordinary user, or with an odd umask.</summary>
internal static class ChildRun
{
    private const string Mark = "HACKTREE_TEST_CHILD";
    private const string Nobody = "65534";

    private static readonly string Program = Path.ChangeExtension(typeof(ChildRun).Assembly.Location, null);

    /// <summary>Whether this process is such a process.</summary>
    public static bool IsChild => Environment.GetEnvironmentVariable(Mark) is not null;

    /// <summary>Runs a class of tests as nobody, with a umask. Fails with its output.</summary>
    public static void AsNobody(Type tests, string umask)
    {
        Assert.SkipUnless(Sys.IsRoot, "this run is an ordinary user's already");
        Tools.Require("setpriv");
        string[] nobody = [$"--reuid={Nobody}", $"--regid={Nobody}", "--clear-groups"];
        Assert.SkipWhen(Tools.Run("setpriv", [.. nobody, "test", "-x", Program]).ExitCode != 0, $"nobody may not run {Program}");
        Run(tests, umask, "setpriv", nobody);
    }

    /// <summary>Runs a class of tests with a umask.</summary>
    public static void WithUmask(Type tests, string umask) => Run(tests, umask, "env", []);

    /// <summary>Starts a class of tests, with more environment variables, in a process that will be killed.</summary>
    public static Process Start(Type tests, string variable, string value)
    {
        var start = new ProcessStartInfo(Program, ["-noLogo", "-noColor", "-class", tests.FullName!]) { RedirectStandardOutput = true };
        start.Environment[Mark] = "1";
        start.Environment[variable] = value;
        Process process = Process.Start(start)!;
        process.BeginOutputReadLine();
        return process;
    }

    private static void Run(Type tests, string umask, string program, string[] arguments)
    {
        Assert.SkipWhen(IsChild, "this is the second run");
        using var directory = new TempDirectory();
        Assert.Equal(Errno.None, Sys.SetMode(directory.Handle, 0x1FF));
        Dictionary<string, string> environment = new() { [Mark] = "1", ["HACKTREE_TEST_DIR"] = directory.Path, ["HOME"] = directory.Path };
        string script = $"umask {umask}; exec {Program} -noLogo -noColor -class {tests.FullName}";
        ToolResult result = Tools.Run(program, [.. arguments, "sh", "-c", script], environment);
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
    }
}
