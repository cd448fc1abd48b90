using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace HackTree.Tests.Tidy;

/// <summary>
/// Checks the layers: Linux and Model do not know each other, Store knows both, Checkout knows Store, the program is on top.
/// </summary>
public sealed class LayeringTests
{
    /// <summary>The projects that each project must reference, and no others.</summary>
    private static readonly Dictionary<string, string[]> References = new()
    {
        ["engine/linux/HackTree.Linux.csproj"] = [],
        ["engine/model/HackTree.Model.csproj"] = [],
        ["engine/store/HackTree.Store.csproj"] = ["HackTree.Linux", "HackTree.Model"],
        ["checkout/HackTree.Checkout.csproj"] = ["HackTree.Store"],
        ["boot/HackTree.Boot.csproj"] = ["HackTree.Checkout"],
        ["transfer/HackTree.Transfer.csproj"] = ["HackTree.Checkout"],
        ["cli/hacktree.csproj"] = ["HackTree.Boot", "HackTree.Transfer"],
        ["bench/HackTree.Bench.csproj"] = ["HackTree.Checkout"],
        ["tests/HackTree.Tests.csproj"] = ["HackTree.Bench", "HackTree.Boot", "HackTree.Checkout", "HackTree.Transfer"],
    };

    private static readonly string[] Libraries = ["engine/", "checkout/", "boot/", "transfer/"];

    [Fact]
    public void Every_project_is_known_here() =>
        Assert.Equal(References.Keys.Order(StringComparer.Ordinal), Repository.Files(".", ".csproj"));

    [Fact]
    public void Projects_reference_what_the_layers_allow() =>
        Assert.All(References, project => Assert.Equal(project.Value, ReferencesOf(project.Key)));

    [Fact]
    public void Only_HackTree_Linux_allows_unsafe_code()
    {
        var allowing = Repository.Files(".", ".csproj", ".props", ".targets").Where(path => Repository.Read(path).Contains("AllowUnsafeBlocks"));
        Assert.Equal(["engine/linux/HackTree.Linux.csproj"], allowing);
    }

    [Theory]
    [InlineData(@"\bunsafe\b")]
    [InlineData(@"\b(Dll|Library)Import\b")]
    [InlineData(@"\b(Marshal|NativeMemory|NativeLibrary|Unsafe)\.")]
    public void Only_engine_linux_touches_pointers(string pattern) =>
        Assert.Empty(SourcesWith(pattern).Where(path => !path.StartsWith("engine/linux/", StringComparison.Ordinal)));

    [Fact]
    public void One_file_of_the_store_knows_FASTER() =>
        Assert.Equal(["engine/store/statcache/StatCacheTable.cs"], SourcesWith(@"\bFASTER\b"));

    [Fact]
    public void Libraries_never_write_to_the_console() =>
        Assert.Empty(SourcesWith(@"\bConsole\b").Where(path => Libraries.Any(library => path.StartsWith(library, StringComparison.Ordinal))));

    [Fact]
    public void Internals_are_open_to_the_tests_only()
    {
        var opened = Repository.Files(".", ".csproj", ".props", ".targets")
            .SelectMany(path => XDocument.Parse(Repository.Read(path)).Descendants("InternalsVisibleTo"))
            .Select(item => item.Attribute("Include")?.Value);
        Assert.Equal(["HackTree.Tests"], opened);
        Assert.Empty(SourcesWith(@"\bInternalsVisibleTo\b"));
    }

    private static IEnumerable<string> ReferencesOf(string project) =>
        XDocument.Parse(Repository.Read(project)).Descendants("ProjectReference")
            .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value))
            .Order(StringComparer.Ordinal);

    private static IEnumerable<string> SourcesWith(string pattern)
    {
        var sources = Repository.Files(".", ".cs").ToList();
        Assert.NotEmpty(sources);
        return sources.Where(path => Regex.IsMatch(Repository.Code(path), pattern));
    }
}
