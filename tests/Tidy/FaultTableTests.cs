using System.Text.RegularExpressions;

namespace HackTree.Tests.Tidy;

/// <summary>docs/faults.md names the test that shows what happens, and the test is there.</summary>
public sealed partial class FaultTableTests
{
    [Fact]
    public void Each_row_names_a_test_that_exists()
    {
        string[] rows = [.. Repository.Read("docs/faults.md").Split('\n').Where(row => row.StartsWith("| ", StringComparison.Ordinal) && !row.StartsWith("| fault ", StringComparison.Ordinal))];
        Assert.NotEmpty(rows);
        Assert.All(rows, row =>
        {
            Match named = LastCell().Match(row);
            Assert.True(named.Success, $"no test at the end of: {row}");
            Assert.True(IsTest(named.Groups["class"].Value, named.Groups["method"].Value), $"there is no test {named.Value}");
        });
    }

    /// <summary>Whether a class has that test, or any test if no method is named.</summary>
    private static bool IsTest(string type, string method) =>
        typeof(FaultTableTests).Assembly.GetTypes().Where(found => found.Name == type).SelectMany(found => found.GetMethods())
            .Any(found => (method.Length == 0 || found.Name == method) && found.IsDefined(typeof(FactAttribute), inherit: true));

    [GeneratedRegex(@"\| `(?<class>\w+)(\.(?<method>\w+))?` \|$")]
    private static partial Regex LastCell();
}
