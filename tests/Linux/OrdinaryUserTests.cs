using HackTree.Linux;
using HackTree.Tests.Support;

namespace HackTree.Tests.Linux;

/// <summary>
/// Runs this folder's tests once more as nobody, because root may do anything, so a run as root says little about permissions.
/// </summary>
public sealed class OrdinaryUserTests
{
    private const string Nobody = "65534";

    [Fact]
    public void The_tests_of_system_calls_pass_for_an_ordinary_user()
    {
        Assert.SkipUnless(Sys.IsRoot, "this run is an ordinary user's already");
        Tools.Require("setpriv");
        string program = Path.ChangeExtension(typeof(OrdinaryUserTests).Assembly.Location, null);
        string[] asNobody = [$"--reuid={Nobody}", $"--regid={Nobody}", "--clear-groups"];
        Assert.SkipWhen(Tools.Run("setpriv", [.. asNobody, "test", "-x", program]).ExitCode != 0, $"nobody may not run {program}");
        using var directory = new TempDirectory();
        Files.Ok(Sys.SetMode(directory.Handle, 0x1FF));
        Dictionary<string, string> environment = new() { ["HACKTREE_TEST_DIR"] = directory.Path, ["HOME"] = directory.Path };
        string namespaceName = typeof(OrdinaryUserTests).Namespace!;
        ToolResult result = Tools.Run("setpriv", [.. asNobody, program, "-noLogo", "-noColor", "-namespace", namespaceName], environment);
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
    }
}
