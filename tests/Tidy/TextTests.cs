using System.Text.RegularExpressions;
using HackTree.Store;

namespace HackTree.Tests.Tidy;

/// <summary>What the library says as data has its words in the program: a case that lacks them would throw where it is printed.</summary>
public sealed partial class TextTests
{
    [Theory]
    [InlineData(typeof(Remedy), "cli/text/RemedyText.cs")]
    [InlineData(typeof(Finding), "cli/text/FindingText.cs")]
    [InlineData(typeof(Finding), "cli/text/FindingJson.cs")]
    [InlineData(typeof(Cause), "cli/text/FindingText.cs")]
    public void Every_case_has_its_words(Type union, string path)
    {
        Type[] cases = [.. union.GetNestedTypes().Where(type => type.IsSubclassOf(union))];
        Assert.NotEmpty(cases);
        string source = Repository.Read(path);
        Assert.All(cases, type => Assert.Matches($@"\b{union.Name}\.{type.Name}\b[^\n]*=>", source));
    }

    [Fact]
    public void Every_fault_of_an_object_has_its_words()
    {
        string source = Repository.Read("cli/text/ObjectFaultText.cs");
        Assert.All(Enum.GetValues<ObjectFaults>().Where(fault => fault != ObjectFaults.None), fault => Assert.Matches($@"ObjectFaults\.{fault} =>", source));
    }

    [Fact]
    public void Every_kind_of_finding_is_in_the_list_of_JSON_fields()
    {
        string[] kinds = [.. Kind().Matches(Repository.Read("cli/text/FindingJson.cs")).Select(match => match.Groups[1].Value)];
        Assert.NotEmpty(kinds);
        string described = Repository.Read("cli/JSON.md");
        Assert.All(kinds, kind => Assert.Contains($"| `{kind}` |", described, StringComparison.Ordinal));
    }

    /// <summary>What to do is a Remedy there; which command does it is known to the program alone.</summary>
    [Theory]
    [InlineData("engine")]
    [InlineData("checkout")]
    public void No_message_of_the_library_names_a_command(string folder)
    {
        Regex command = CommandInText();
        Assert.Matches(command, Repository.Read("cli/text/RemedyText.cs"));
        Assert.DoesNotContain(Repository.Files(folder, ".cs"), path => command.IsMatch(Comment().Replace(Repository.Read(path), "")));
    }

    /// <summary>A command between backquotes, or one that is to be run.</summary>
    [GeneratedRegex("`[^`\"\n]*hacktree [a-z-]|\\brun hacktree ")]
    private static partial Regex CommandInText();

    [GeneratedRegex(@"//[^\n]*")]
    private static partial Regex Comment();

    [GeneratedRegex("""Finding\.\w+ => "([a-z-]+)",""")]
    private static partial Regex Kind();
}
