using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace HackTree.Tests.Tidy;

/// <summary>Checks what a reader may expect of any file.</summary>
public sealed partial class SourceTests
{
    private const int LongestFile = 400;

    [Fact]
    public void No_file_is_too_long_to_read()
    {
        var lengths = Repository.Files(".", ".cs", ".sh", ".py").ToDictionary(path => path, path => File.ReadLines(Path.Combine(Repository.Root, path)).Count());
        Assert.NotEmpty(lengths);
        Assert.Empty(lengths.Where(file => file.Value > LongestFile));
    }

    [Fact]
    public void No_file_has_a_name_that_explains_nothing() =>
        Assert.DoesNotContain(Repository.Files(".", ".cs"), path => SaysNothing().IsMatch(path));

    [Fact]
    public void Every_public_type_of_a_library_says_what_it_is()
    {
        foreach (var name in new[] { "HackTree.Linux", "HackTree.Model", "HackTree.Store", "HackTree.Checkout" })
        {
            var library = System.Reflection.Assembly.Load(name);
            var said = XDocument.Load(Path.ChangeExtension(library.Location, ".xml")).Descendants("member")
                .Select(member => member.Attribute("name")?.Value).ToHashSet();
            Assert.Empty(library.GetExportedTypes().Select(type => "T:" + type.FullName!.Replace('+', '.')).Where(type => !said.Contains(type)));
        }
    }

    [GeneratedRegex(@"(Manager|Helpers?|Util(s|ity|ities)?|Common|Misc)\.cs$")]
    private static partial Regex SaysNothing();
}
