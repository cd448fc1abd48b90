using System.Diagnostics;
using System.Xml.Linq;
using HackTree.Linux;

namespace HackTree.Tests.Support;

/// <summary>Runs some of these tests once more in another process: as an ordinary user, or with an odd umask.</summary>
internal static class ChildRun
{
    private const string Mark = "HACKTREE_TEST_CHILD";
    private const string SecondRun = "this is the second run";
    private const string Nobody = "65534";

    private static readonly string Program = Path.ChangeExtension(typeof(ChildRun).Assembly.Location, null);

    /// <summary>Whether this process is such a process.</summary>
    public static bool IsChild => Environment.GetEnvironmentVariable(Mark) is not null;

    /// <summary>Skips a test that is no part of a second run.</summary>
    public static void SkipInChild() => Assert.SkipWhen(IsChild, SecondRun);

    /// <summary>Runs a class of tests as nobody, with a umask. Fails with its output.</summary>
    public static void AsNobody(Type tests, string umask) => AsNobody(umask, "-class", tests.FullName!);

    /// <summary>Runs all tests of a namespace as nobody.</summary>
    public static void NamespaceAsNobody(string name) => AsNobody("0022", "-namespace", name);

    /// <summary>Runs the body of a test as an ordinary user. If root runs the tests, the test runs once more, as nobody.</summary>
    public static void AsOrdinaryUser(Action body)
    {
        if (!Sys.IsRoot)
        {
            body();
            return;
        }

        AsNobody("0022", "-method", $"{TestContext.Current.TestClass!.TestClassName}.{TestContext.Current.TestMethod!.MethodName}");
    }

    /// <summary>Runs a class of tests with a umask.</summary>
    public static void WithUmask(Type tests, string umask) => Run(umask, "env", [], "-class", tests.FullName!);

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

    private static void AsNobody(string umask, string filter, string tests)
    {
        SkipInChild();
        Assert.SkipUnless(Sys.IsRoot, "only root can become another user");
        Tools.Require("setpriv");
        string[] nobody = [$"--reuid={Nobody}", $"--regid={Nobody}", "--clear-groups"];
        Assert.SkipWhen(Tools.Run("setpriv", [.. nobody, "test", "-x", Program]).ExitCode != 0, $"nobody may not run {Program}");
        Run(umask, "setpriv", nobody, filter, tests);
    }

    private static void Run(string umask, string program, string[] arguments, string filter, string tests)
    {
        SkipInChild();
        using var directory = new TempDirectory();
        Assert.Equal(Errno.None, Sys.SetMode(directory.Handle, 0x1FF));
        Dictionary<string, string> environment = new() { [Mark] = "1", ["HACKTREE_TEST_DIR"] = directory.Path, ["HOME"] = directory.Path };
        string report = directory.At("report.xml");
        string script = $"umask {umask}; exec {Program} -noLogo -noColor -result-xml {report} {filter} {tests}";
        ToolResult result = Tools.Run(program, [.. arguments, "sh", "-c", script], environment);
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
        RequireAwake(XDocument.Load(report), tests);
    }

    /// <summary>A run in which nothing passed proves nothing. In CI, what the child skips must be what this process runs.</summary>
    private static void RequireAwake(XDocument report, string tests)
    {
        Assert.True(report.Descendants("test").Any(test => (string?)test.Attribute("result") == "Pass"), $"no test of {tests} passed in the child");
        IEnumerable<string> asleep = report.Descendants("test")
            .Where(test => (string?)test.Attribute("result") == "Skip" && !IsRunByParent((string?)test.Element("reason") ?? ""))
            .Select(test => $"{(string?)test.Attribute("name")}: {((string?)test.Element("reason"))?.Trim()}");
        string[] named = [.. asleep];
        Assert.True(!Tools.IsCi || named.Length == 0, $"skipped in the child, which counts as failed in CI: {string.Join("; ", named)}");
    }

    private static bool IsRunByParent(string reason) =>
        reason.Contains(SecondRun, StringComparison.Ordinal) || (Sys.IsRoot && reason.Contains("only root can ", StringComparison.Ordinal));
}
