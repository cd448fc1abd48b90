using HackTree.Tests.Tidy;

namespace HackTree.Tests.Support;

/// <summary>Compares trees on disk with compare.py, which shares no code with HackTree.</summary>
internal static class Comparison
{
    private static readonly string Script = Path.Combine(Repository.Root, "tests", "Support", "compare.py");

    /// <summary>Fails with the differences. The options are those of compare.py.</summary>
    public static void Same(string source, string copy, params IEnumerable<string> options)
    {
        Tools.Require("python3");
        ToolResult result = Tools.Run("python3", [Script, .. options, source, copy]);
        Assert.True(result.ExitCode == 0, result.Output + result.Error);
    }

    /// <summary>A line for each entry of a tree.</summary>
    public static string[] Lines(string tree)
    {
        Tools.Require("python3");
        return Tools.Run("python3", Script, tree).Succeeded().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
